// Package v20170312 stands in for the cloud SDK behind flannel's tencent-vpc backend.
//
// flannel links every backend it knows, and the module of this one is not served by the Go
// module proxy. flatnet never configures that backend; whoever does gets the error below.
package v20170312

import "errors"

var errLeftOut = errors.New("the tencent-vpc backend is left out of this build of flanneld: build flannel with its own go.mod")

type Client struct{}

type Filter struct {
	Name   *string
	Values []*string
}

type Route struct {
	DestinationCidrBlock, GatewayType, GatewayId, RouteType *string
	RouteId                                                 *uint64
	Enabled                                                 *bool
}

type RouteTable struct {
	RouteTableId *string
	RouteSet     []*Route
}

type DescribeRouteTablesRequest struct{ Filters []*Filter }

type DescribeRouteTablesResponse struct {
	Response *struct{ RouteTableSet []*RouteTable }
}

type routesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

type routesResponse struct{}

func NewClientWithSecretId(_, _, _ string) (*Client, error) { return &Client{}, errLeftOut }

func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}
func NewDeleteRoutesRequest() *routesRequest { return &routesRequest{} }
func NewCreateRoutesRequest() *routesRequest { return &routesRequest{} }

func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, errLeftOut
}
func (*Client) DeleteRoutes(*routesRequest) (*routesResponse, error) { return nil, errLeftOut }
func (*Client) CreateRoutes(*routesRequest) (*routesResponse, error) { return nil, errLeftOut }
