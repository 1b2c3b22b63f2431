// Package e2e tests the whole: the real binary as processes, behind a real
// nginx, on a real Redis, with the files of deploy/ and of the original's
// guide (testdata/guide, as published, version of 2022).
//
// The trust services run in the test process, so that a test can change what
// they know. Every other part is a process of its own, and none outlives the
// tests, however they end.
package e2e
