//go:build !amd64 || purego

package gost341194

// paths returns the paths of this build.
func paths() []path { return []path{goTables, goNibbles} }

// constantTime are the paths whose time does not depend on the message.
var constantTime = []path{goNibbles}
