package cli

import (
	"strings"
)

// serverArgs turns the command lines that start E-IMZO-SERVER into those of
// imzo server, so that a script needs only its "java" replaced. The three forms
// in use:
//
//	java -Dfile.encoding=UTF-8 -jar e-imzo-server.jar config.properties
//	java -Dproperties.filename=config/config.properties -jar e-imzo-server.jar start
//	java -jar e-imzo-server.jar start -c config.properties
//
// What tunes a Java machine is dropped. Arguments that are no such thing stay
// as they are.
func serverArgs(args []string) []string {
	var kept, file []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "-jar" || a == "-cp" || a == "-classpath":
			i++ // and the file after it
		case strings.HasPrefix(a, "-Dproperties.filename="):
			file = []string{strings.TrimPrefix(a, "-Dproperties.filename=")}
		case strings.HasPrefix(a, "-D"), strings.HasPrefix(a, "-X"), a == "-server" || a == "-client", a == "-ea":
		case a == "start" && len(kept) == 0:
		case a == "-c" && i+1 < len(args):
			i++
			kept = append(kept, args[i])
		case a == "--":
			return append(append(kept, file...), args[i:]...)
		default:
			kept = append(kept, a)
		}
	}
	return append(kept, file...)
}
