package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/manifest"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) patch() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "patch ID... -p PATCH | -f FILE",
		Short: "Change fields of specs by a merge patch",
		Long: `Changes fields of specs by a JSON merge patch (RFC 7396), in JSON or YAML: what it gives is set, what it
leaves out stays, null gives a field its default back. A list, as of ports, is replaced as a whole.`,
		Example: `  lightd patch web -p '{"limits": {"memory": "1Gi"}}' --wait
  lightd patch web -p 'env: {DEBUG: null}' --dry-run
  lightd patch -l game=quake -f suspended.yaml`,
		ValidArgsFunction: a.completeIDs,
	}
	text := cmd.Flags().StringP("patch", "p", "", "the `patch` itself, in JSON or YAML")
	file := cmd.Flags().StringP("filename", "f", "", "`file` of the patch, \"-\" for the standard input")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	var patch map[string]any
	a.write(cmd, api.UntilSynced, func(ctx context.Context, s *session, id string, w client.Write) (client.Receipt, error) {
		return s.Patch(ctx, id, patch, w)
	})
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if cmd.Flags().Changed("patch") == cmd.Flags().Changed("filename") {
			return usagef("patch: give the patch with -p, or a file of it with -f")
		}
		if cmd.Flags().Changed("patch") {
			patch, err = manifest.Patch("--patch", []byte(*text))
		} else {
			patch, err = a.readPatch(*file)
		}
		if err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// readPatch reads a patch from a file.
func (a *app) readPatch(path string) (map[string]any, error) {
	data, err := a.readInput(path)
	if err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	return manifest.Patch(path, data)
}
