package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// directory is where the load keeps its files in a volume.
const directory = "soak"

// largest is the size of the largest file, in bytes.
const largest = 256 << 10

// changeFile writes, reads, renames or deletes a file of the volume.
func (s *slot) changeFile(ctx context.Context) error {
	name := fmt.Sprintf("%s/%d.txt", directory, s.random.IntN(8))
	content, exists := s.files[name]
	kind := s.random.IntN(6)
	var err error
	switch {
	case !exists || kind < 2:
		err = s.writeFile(ctx, name)
	case kind < 4:
		return s.compare(ctx, name, content)
	case kind == 4:
		to := fmt.Sprintf("%s/%d.txt", directory, s.random.IntN(8))
		_, err = s.client.FileOperation(ctx, s.volume, api.FileOperation{Op: client.RenameFile, From: name, To: to, Overwrite: true})
		if err == nil && to != name {
			delete(s.files, name)
			s.files[to] = content
		}
	default:
		_, err = s.client.DeleteFiles(ctx, s.volume, name)
		if err == nil {
			delete(s.files, name)
		}
	}
	if err != nil && (errors.Is(err, client.ErrUnknownOutcome) || ctx.Err() != nil) {
		clear(s.files) // nothing is expected of what may have changed
	}
	return err
}

func (s *slot) writeFile(ctx context.Context, name string) error {
	mkdir := api.FileOperation{Op: client.MakeDirectory, Path: directory, Parents: true}
	if _, err := s.client.FileOperation(ctx, s.volume, mkdir); err != nil {
		return err
	}
	content := strings.Repeat(fmt.Sprintf("%d ", s.random.Int64()), s.random.IntN(largest/20))
	if _, err := s.client.WriteFile(ctx, s.volume, name, strings.NewReader(content), client.FileWrite{Size: int64(len(content))}); err != nil {
		return err
	}
	s.files[name] = content
	return nil
}

// compare holds a file against what was acknowledged.
func (s *slot) compare(ctx context.Context, name, want string) error {
	got, err := s.contents(ctx, s.client, name)
	if err == nil && got != want {
		err = fmt.Errorf("%s of volume %s has %d bytes, other than the %d that were acknowledged", name, s.volume, len(got), len(want))
	}
	return err
}

func (s *slot) contents(ctx context.Context, c *client.Client, name string) (string, error) {
	file, err := c.ReadFile(ctx, s.volume, name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	return string(data), err
}

// compareAll holds all files against what was acknowledged.
func (s *slot) compareAll(ctx context.Context) error {
	var all []error
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		all = append(all, s.compare(ctx, name, s.files[name]))
	}
	return errors.Join(all...)
}

// archive packs the files, and deletes the archive.
func (s *slot) archive(ctx context.Context) error {
	if len(s.files) == 0 {
		return nil
	}
	const to = "soak.tar.gz"
	job, err := s.client.StartFileJob(ctx, s.volume, api.FileOperation{Op: client.Compress, Paths: []string{directory}, To: to, Overwrite: true})
	if err != nil {
		return err
	}
	if job, err = s.client.WaitFileJob(ctx, s.volume, job.ID, nil); err != nil {
		return err
	}
	if job.State != "done" {
		return fmt.Errorf("pack %s of volume %s: the job is %s: %v", directory, s.volume, job.State, job.Error)
	}
	_, err = s.client.DeleteFiles(ctx, s.volume, to)
	return err
}
