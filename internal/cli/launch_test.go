package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestTheLaunchFormsOfTheOriginalAreUnderstood(t *testing.T) {
	for in, want := range map[string]string{
		"config.properties": "config.properties",
		"-Dfile.encoding=UTF-8 -jar e-imzo-server.jar config.properties":                                                                           "config.properties",
		"-Djava.util.logging.config.file=config/logging.properties -Dproperties.filename=config/config.properties -Xmx512m -jar e-imzo-server.jar": "config/config.properties",
		"-Dproperties.filename=c.properties -jar e-imzo-server.jar start":                                                                          "c.properties",
		"-Xms64m -server -jar e-imzo-server.jar start -c test-config.properties":                                                                   "test-config.properties",
		"start -c c.properties --log-format json":                                                                                                  "c.properties --log-format json",
		"start":            "",
		"":                 "",
		"-c":               "-c",
		"-jar":             "",
		"--check start":    "--check start",
		"-- start":         "-- start",
		"--help":           "--help",
		"start start":      "",
		"c.properties -ea": "c.properties",
	} {
		if got := serverArgs(strings.Fields(in)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}
