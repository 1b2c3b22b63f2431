//go:build unix

package keyring

import "syscall"

// nonblock keeps the open of a pipe from waiting for its writer.
const nonblock = syscall.O_NONBLOCK
