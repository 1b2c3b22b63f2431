// Command release builds what is published: the binary for every system we
// promise, SHA256SUMS over all files, and for each binary the list of what is
// in it (SBOM) as CycloneDX JSON.
//
//	go run ./scripts/release -version 1.2.3 -out dist
//	go run ./scripts/release -platform linux/arm64 -out dist
//
// The same source, version and Go toolchain give the same bytes, whatever the
// folder, machine or time: paths are trimmed, nothing of the version control
// is stamped, and the environment's say in the result is cut off. Who wants
// to check a release builds it and compares SHA256SUMS.
//
// It does not sign anything and publishes nothing.
package main
