package keyring

import "golang.org/x/sys/windows"

// Volumes lists the roots of the drives, such as C:\.
func Volumes() []string {
	mask, err := windows.GetLogicalDrives()
	if err != nil {
		return nil
	}
	var all []string
	for i := range 26 {
		if mask&(1<<i) != 0 {
			all = append(all, string(rune('A'+i))+`:\`)
		}
	}
	return all
}
