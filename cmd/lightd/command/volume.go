package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/manifest"
	"lightd/cmd/lightd/render"
	"lightd/desired"
	"lightd/httpapi/api"
)

func (a *app) volume() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "volume",
		Short: "Volumes: directories that outlive the containers on them",
	}
	cmd.AddCommand(a.volumeCreate(), a.volumeList(), a.volumeQuota(), a.volumeDelete())
	return Branch(cmd)
}

func (a *app) volumeCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create [ID]",
		Short: "Make a volume, and print its id",
		Long:  "Makes a volume, and prints its id. One with a given id, which is a UUID, is kept if it is there.",
		Example: `  lightd volume create
  lightd volume create d6764075-c5f1-4045-9fb3-85315b85cb0f`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s: one id, or none", path(cmd))
			}
			return noEmpty(cmd, args)
		},
	}
	form := ResultFlag(cmd)
	quota := cmd.Flags().String("quota", "", "`most` that it takes of the disk, as in 10Gi")
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		bytes, err := quotaOf(*quota)
		if err != nil && *quota != "" {
			return usagef("%s: --quota: %v", path(cmd), err)
		}
		var v api.Volume
		if len(args) == 1 {
			v, err = s.EnsureVolume(ctx, args[0])
		} else {
			v, err = s.CreateVolume(ctx)
		}
		if err == nil && *quota != "" {
			v, err = s.SetVolumeQuota(ctx, v.VolumeID, bytes)
		}
		if err != nil {
			return err
		}
		if *form == FormText {
			*form = FormName
		}
		return a.encode(*form, v)
	})
}

func (a *app) volumeList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the volumes, and the containers that name them",
		Example: "  lightd volume list --measure --sort-by .size_bytes",
		Args:    NoArgs,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML, FormName)
	sort := sortFlag(cmd)
	measure := cmd.Flags().Bool("measure", false, "measure each; else SIZE is the last that is known")
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		all, err := s.Volumes(ctx)
		if err != nil {
			return err
		}
		for i := 0; *measure && i < len(all); i++ {
			sized, err := s.Volume(ctx, all[i].VolumeID)
			if err != nil {
				return withSubject(all[i].VolumeID, err)
			}
			all[i] = sized.Volume
		}
		if err := sorted(sort, all); err != nil {
			return err
		}
		if *form != FormTable {
			return WriteList(a.Streams, *form, "volumes", all)
		}
		if len(all) == 0 {
			a.note("There is no volume.")
			return nil
		}
		t := a.table([]string{"ID", "CONTAINERS", "SIZE", "QUOTA", "AGE", "PATH"}, 5)
		for _, v := range all {
			size := ""
			if v.SizeBytes != nil {
				size = render.Bytes(*v.SizeBytes)
			}
			t.Row(v.VolumeID, strings.Join(v.Containers, ","), size, quotaUse(v), render.Age(a.Now(), time.Unix(v.CreatedAt, 0)), v.Path)
		}
		return t.Flush()
	})
}

// quotaUse is how much of its quota a volume uses; empty without one.
func quotaUse(v api.Volume) string {
	switch {
	case v.QuotaBytes == nil:
		return ""
	case v.UsedBytes == nil:
		return "of " + render.Bytes(*v.QuotaBytes)
	}
	return fmt.Sprintf("%s of %s", render.Bytes(*v.UsedBytes), render.Bytes(*v.QuotaBytes))
}

// quotaOf reads a quota, as in 10Gi or none.
func quotaOf(text string) (int64, error) {
	if text == "none" {
		return 0, nil
	}
	number, err := manifest.Bytes(text)
	if err != nil {
		return 0, fmt.Errorf("%w, or none", err)
	}
	return number.Int64()
}

func (a *app) volumeQuota() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quota ID SIZE|none",
		Short: "Bound what a volume takes of the disk, or end that",
		Long: `Bounds what a volume takes of the disk. "lightd docs quotas" says what happens to
the containers on one that takes more.`,
		Example: "  lightd volume quota d6764075-c5f1-4045-9fb3-85315b85cb0f 10Gi",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("%s: the id of a volume and a size are needed, or none", path(cmd))
			}
			return noEmpty(cmd, args)
		},
		ValidArgsFunction: a.completeVolumes,
	}
	form := ResultFlag(cmd)
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		bytes, err := quotaOf(args[1])
		if err != nil {
			return usagef("%s: %v", path(cmd), err)
		}
		if _, err := s.Volume(ctx, args[0]); err != nil { // which a write would make
			return withSubject(args[0], err)
		}
		v, err := s.SetVolumeQuota(ctx, args[0], bytes)
		if err != nil {
			return withSubject(args[0], err)
		}
		switch {
		case *form != FormText:
			return a.encode(*form, v)
		case v.QuotaBytes == nil:
			a.say("%s: no quota", v.VolumeID)
		default:
			a.say("%s: the quota is %s", v.VolumeID, render.Bytes(*v.QuotaBytes))
		}
		return nil
	})
}

func (a *app) volumeDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete ID...",
		Aliases: []string{"rm"},
		Short:   "Delete volumes and their data; not those that a container names",
		Example: "  lightd volume delete d6764075-c5f1-4045-9fb3-85315b85cb0f",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s: the id of a volume is needed", path(cmd))
			}
			return noEmpty(cmd, args)
		},
		ValidArgsFunction: a.completeVolumes,
	}
	form := ResultFlag(cmd)
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		var done []api.AppliedVolume
		failed := a.each(ctx, s, args, func(ctx context.Context, id string) error {
			if err := s.DeleteVolume(ctx, id); err != nil {
				return err
			}
			if done = append(done, api.AppliedVolume{VolumeID: id, Action: desired.Deleted}); *form == FormText {
				a.say("%s: deleted", id)
			}
			return nil
		})
		if *form == FormText {
			return failed
		}
		return errors.Join(WriteList(a.Streams, *form, "volumes", done), failed)
	})
}
