// Package config reads the .properties files of Java programs and checks them
// against a table of known keys.
//
// The syntax is that of java.util.Properties.load (Java SE API, "Properties"):
// keys and values parted by '=', ':' or white space, comments with '#' or '!',
// lines continued by a backslash, \uXXXX escapes, the last of two equal keys
// wins. Two things are kinder than in Java: a file that is UTF-8 is read as
// UTF-8 and only otherwise as ISO-8859-1, and a byte order mark is skipped.
//
//	file, err := config.Load("config.properties")
//	values, warnings, err := table.Check(file)
//	port := values.Int("listen.port")
//
// Every mistake is reported with file and line, all of them at once. An
// unknown key is a warning with the nearest known name, since a file may be
// shared with a newer version.
//
// What the keys mean, and what must be set together, is the business of the
// package that owns the table.
package config
