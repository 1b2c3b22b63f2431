//go:build unix

package trust

import "os"

// syncDir makes a new or renamed file in dir survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
