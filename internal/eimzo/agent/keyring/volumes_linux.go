package keyring

import (
	"os"
	"os/user"
	"path/filepath"
)

// Volumes lists where memory sticks are mounted: what lies in /media, in
// /media/USER and in /run/media/USER.
func Volumes() []string {
	parents := []string{"/media"}
	if u, err := user.Current(); err == nil {
		parents = append(parents, filepath.Join("/media", u.Username), filepath.Join("/run/media", u.Username))
	}
	return children(parents...)
}

// children lists the folders in folders, and these themselves, as keys may lie
// in /media/DSKEYS. Links are not followed: they lead to what is listed itself.
func children(parents ...string) []string {
	var all []string
	for _, p := range parents {
		list, err := os.ReadDir(p)
		if err != nil {
			continue
		}
		all = append(all, p)
		for _, e := range list {
			if e.IsDir() && e.Name() != KeysFolder {
				all = append(all, filepath.Join(p, e.Name()))
			}
		}
	}
	return all
}
