package secret

import "golang.org/x/sys/windows"

// HardenProcess turns off the dialogs of Windows that offer to write the memory
// of a process that failed to a file. Dumps that an administrator has ordered
// for all programs are still written.
func HardenProcess() error {
	windows.SetErrorMode(windows.SEM_FAILCRITICALERRORS | windows.SEM_NOGPFAULTERRORBOX)
	return nil
}
