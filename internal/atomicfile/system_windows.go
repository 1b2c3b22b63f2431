package atomicfile

import (
	"io/fs"
	"os"
)

// chown has nothing to do: who makes a file owns it.
func chown(*os.File, fs.FileInfo, fs.FileInfo) error { return nil }

// syncFolder has nothing to do: the system keeps names itself.
func syncFolder(*os.Root) error { return nil }
