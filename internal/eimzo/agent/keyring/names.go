package keyring

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds the name of a file without its extension, in octets: file
// systems of Windows have 255 UTF-16 units, of at most three octets each.
const maxName = 3 * 255

// checkName refuses what could mean another file than one of the folder: on
// any system what would on one of them, since keys travel on memory sticks.
func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\:*?\"<>|") || strings.HasPrefix(name, ".") {
		return ErrName
	}
	for _, c := range name {
		// What turns the direction of writing would show the person another
		// name.
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == utf8.RuneError {
			return ErrName
		}
	}
	if reserved(name) {
		return ErrName
	}
	return nil
}

// reserved tells whether Windows takes a name for a device, whatever its
// extension.
func reserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, port := range []string{"COM", "LPT"} {
		if number, ok := strings.CutPrefix(base, port); ok && utf8.RuneCountInString(number) == 1 && strings.Contains("0123456789¹²³", number) {
			return true
		}
	}
	return false
}

// maxNewName leaves room for the extension on every file system.
const maxNewName = 200

// NewName checks the name of a file that is to be made: [0-9A-Z]+, as the
// original does. The error is [ErrName].
func NewName(name string) error {
	if len(name) > maxNewName || strings.Trim(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ErrName
	}
	return checkName(name)
}

func stem(file string) string { return strings.TrimSuffix(file, filepath.Ext(file)) }
