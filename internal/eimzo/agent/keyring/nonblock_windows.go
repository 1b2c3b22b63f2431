package keyring

const nonblock = 0

// syncFolder has nothing to do: the system keeps renames itself.
func syncFolder(string) error { return nil }
