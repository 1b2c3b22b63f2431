// Package archtest holds the direction of dependencies by tests, and nothing
// else: which package may import which, which outside modules are used where,
// and that the libraries know nothing of servers (docs/architecture.md,
// docs/dependencies.md).
//
// The tests read the import lines of all files, also of those for other
// systems and build tags. A new package needs a line in the table; when the
// line is hard to write, the package is in the wrong place.
package archtest
