package keyring

import (
	"os"
	"path/filepath"
)

// Volumes lists /Volumes and what is mounted in it.
func Volumes() []string {
	all := []string{"/Volumes"}
	list, err := os.ReadDir("/Volumes")
	if err != nil {
		return nil
	}
	for _, e := range list {
		// The link to the system's own disk leads to "/".
		if e.IsDir() && e.Name() != KeysFolder {
			all = append(all, filepath.Join("/Volumes", e.Name()))
		}
	}
	return all
}
