// Command imzo signs, checks and serves electronic signatures; `imzo help`
// lists what it does.
package main

import (
	"os"

	"imzo/internal/cli"
)

func main() { os.Exit(cli.Main()) }
