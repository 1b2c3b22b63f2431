//go:build !unix

package trust

// syncDir does nothing where a folder cannot be synced; NTFS journals names.
func syncDir(string) error { return nil }
