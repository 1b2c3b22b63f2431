//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// withoutTerminal keeps a process of a script from asking the developer.
func withoutTerminal(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
