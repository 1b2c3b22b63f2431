//go:build unix

package e2e

import "syscall"

// inEmptyRoot makes a process see nothing but the folder, as the user.
func inEmptyRoot(root string, uid, gid uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uid, Gid: gid}}
}
