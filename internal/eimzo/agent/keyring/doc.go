// Package keyring finds key files on the disks of a computer and remembers what
// pages have loaded.
//
// A page names a key file by disk, path and name, as the list gave them; path
// is "" or "DSKEYS". A loaded key has an id, 32 hexadecimal digits, and with it
// the password that the person typed, for as long as the person said.
//
//	ring := keyring.New(keyring.Options{Dirs: keyring.Home(), Roots: keyring.Volumes})
//	defer ring.Close()
//	items, err := ring.List(keyring.PFX, "")
//	file, err := ring.Locate(keyring.PFX, item.Disk, item.Path, item.Name)
//	id := ring.Add(keyring.Session{Type: keyring.TypePFX, Origin: origin, File: file, Alias: item.Alias})
//
// Whatever a page sends, only regular files right in a disk or in its DSKEYS
// folder are read and written. Links on a disk are not followed, devices and
// pipes not opened.
//
// Unlike the original, an id is of use to the page alone that loaded the key,
// unless Options.Global says otherwise. The package opens no key and asks
// nobody for a password.
package keyring
