module example.com/{{name}}

go 1.25

// The bindings: `hookbox build` writes them.
require hookbox v0.0.0

replace hookbox => ./bindings
