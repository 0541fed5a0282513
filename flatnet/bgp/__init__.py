"""Routes to pods by BGP (RFC 4271): who speaks to whom, what cannot work, and the configuration of BIRD 2."""
