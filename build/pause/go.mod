module flatnet.example/build/pause

go 1.25.0
