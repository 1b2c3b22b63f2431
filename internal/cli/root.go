// Package cli is the imzo command: one file a subcommand.
//
// Commands print results on standard output and everything else on standard
// error. They exit 0 when what was asked holds, 1 when it does not (an invalid
// signature, a service that failed) and 2 when they were called wrongly. What
// they write to a file appears whole or not at all.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"imzo/internal/inspect"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// version is set by the linker; see the Makefile.
var version = ""

// env is what a command takes from its surroundings, so that tests can give
// their own.
type env struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time
	// ask reads a password from the person at the terminal.
	ask func(prompt string) (string, error)
}

// errSilent ends a command with exit code 1 when everything worth saying is
// already printed, as the report of an invalid signature is.
var errSilent = errors.New("failed")

// usageError marks a mistake in the call: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Main runs the command line of this process and returns its exit code. An
// interrupt or SIGTERM cancels the command's context, a second one ends the
// process.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now, ask: askTerminal})
}

func run(ctx context.Context, args []string, e env) int {
	root := newRoot(e)
	if len(args) > 0 && args[0] == "server" {
		args = append([]string{"server"}, serverArgs(args[1:])...)
	}
	if len(args) > 0 && args[0] == "agent" {
		args = append([]string{"agent"}, agentArgs(args[1:])...)
	}
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	called, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitFailure
	case errors.As(err, &usage):
		fmt.Fprintf(e.stderr, "%s: %s\nTry '%s --help'.\n", called.CommandPath(), printableError(err), called.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(e.stderr, "imzo: %s\n", printableError(err))
	return exitFailure
}

// printableError is the text of an error for a terminal. It may hold the name
// of a file, or what a file or a service says, which strangers choose. Line
// breaks stay: some messages are lists.
func printableError(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = inspect.Printable(line)
	}
	return strings.Join(lines, "\n")
}

func newRoot(e env) *cobra.Command {
	root := &cobra.Command{
		Use:   "imzo",
		Short: "Sign, check and serve electronic signatures",
		Long: `Imzo is an open electronic-signature platform in one program. It replaces
E-IMZO-SERVER, brings the trust services behind it (CA, OCSP, timestamps), and
signs and checks documents on the command line, all without a network.

  imzo up                   everything on this machine, with test keys
  imzo server config.properties
                            the REST server alone, for production
  imzo sign, imzo verify    sign and check documents

Every command takes '-' for standard input, and --json where it has something
to say to a script. It exits 0 when all is well, 1 when something is not (an
invalid signature, a wrong password) and 2 when it was called wrongly.`,
		Example: `  imzo key new --subject 'CN=TEST USER,C=UZ' -o test.pfx
  imzo sign --key test.pfx -o contract.p7s contract.pdf
  imzo verify contract.p7s`,
		Version:       versionString(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetVersionTemplate("imzo {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddGroup(
		&cobra.Group{ID: "serve", Title: "Services:"},
		&cobra.Group{ID: "document", Title: "Documents and keys:"},
	)
	for _, c := range []struct {
		group   string
		command *cobra.Command
	}{
		{"serve", newUpCommand(e)},
		{"serve", newServerCommand(e)},
		{"serve", newTrustCommand(e)},
		{"serve", newAgentCommand(e)},
		{"serve", newMobileCommand(e)},
		{"serve", newHealthCommand(e)},
		{"document", newSignCommand(e)},
		{"document", newVerifyCommand(e)},
		{"document", newTimestampCommand(e)},
		{"document", newKeyCommand(e)},
		{"document", newCardCommand(e)},
		{"document", newInspectCommand(e)},
		{"document", newHashCommand(e)},
		{"document", newAPIKeyCommand(e)},
		{"", newBenchCommand(e)},
		{"", newManCommand(e)},
		{"", newVersionCommand(e)},
	} {
		c.command.GroupID = c.group
		root.AddCommand(c.command)
	}
	markUsageErrors(root)
	return root
}

// markUsageErrors makes a wrong call of any command a usage error. Cobra
// reports wrong arguments and missing flags as plain errors, and a command
// that it does not know, below a group of commands, not at all.
func markUsageErrors(c *cobra.Command) {
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = knownCommand
		c.DisableFlagsInUseLine = true
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{err}
		}
		if err := c.ValidateRequiredFlags(); err != nil {
			return usageError{err}
		}
		if err := c.ValidateFlagGroups(); err != nil {
			return usageError{err}
		}
		return nil
	}
	for _, sub := range c.Commands() {
		markUsageErrors(sub)
	}
}

// knownCommand refuses what a group of commands has not, and says what may
// have been meant.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q; did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q", args[0])
}

func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
