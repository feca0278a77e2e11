//go:build manpages

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"lightd/cmd/lightd/terminal"
)

// main writes the manual pages: lightd.1, one for each command, and lightd.yaml.5, which is the commented
// configuration. It is the main of the package's build alone, so that the program links no generator:
//
//	SOURCE_DATE_EPOCH=SECONDS go run -tags nomsgpack,manpages ./cmd/lightd CONFIGURATION DIRECTORY
func main() {
	if err := writeManPages(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "write manual pages:", err)
		os.Exit(1)
	}
}

func writeManPages(configuration, dir string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("read SOURCE_DATE_EPOCH: %w", err)
	}
	date := time.Unix(seconds, 0).UTC()
	root := rootCommand(func(string) string { return "" }, terminal.Streams{})
	root.DisableAutoGenTag = true
	showRootDefaults(root)
	if err := doc.GenManTree(root, &doc.GenManHeader{Date: &date, Source: "Lightd", Manual: "Lightd"}, dir); err != nil {
		return err
	}
	text, err := os.ReadFile(configuration)
	if err != nil {
		return err
	}
	// Each line of the configuration begins with "#" or is empty, so that no request of roff can be among them.
	page := fmt.Sprintf(".TH LIGHTD.YAML 5 %q Lightd Lightd\n", date.Format("Jan 2006")) +
		".SH NAME\nlightd.yaml \\- settings of the Lightd daemon\n.SH SYNOPSIS\n/etc/lightd/lightd.yaml\n.SH DESCRIPTION\n.nf\n" +
		strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(string(text)) + ".fi\n.SH SEE ALSO\n.BR lightd\\-serve (1)\n"
	return os.WriteFile(filepath.Join(dir, "lightd.yaml.5"), []byte(page), 0o644)
}

// showRootDefaults makes the pages the same whoever builds them.
func showRootDefaults(cmd *cobra.Command) {
	if dir := cmd.Flags().Lookup("data-dir"); dir != nil {
		dir.DefValue = rootDataDir
	}
	for _, c := range cmd.Commands() {
		showRootDefaults(c)
	}
}
