package keyring

import (
	"os"
	"path/filepath"
	"strings"
)

// Volumes lists /Volumes and what is mounted in it.
func Volumes() []string {
	all := []string{"/Volumes"}
	list, err := os.ReadDir("/Volumes")
	if err != nil {
		return nil
	}
	for _, e := range list {
		// The link to the system's own disk leads to "/", and what begins with
		// a dot is the system's too.
		if e.IsDir() && e.Name() != KeysFolder && !strings.HasPrefix(e.Name(), ".") {
			all = append(all, filepath.Join("/Volumes", e.Name()))
		}
	}
	return all
}
