module example.com/calls

go 1.23.0

require github.com/failsafe-go/failsafe-go v0.9.8
