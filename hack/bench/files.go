package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"lightd/hack/simengine"
)

const (
	// fileBytes is the size of the file that is copied, fileRounds how often.
	fileBytes  = 1 << 30
	fileRounds = 3
	// fileTarget is the part of the speed of cp that is wanted.
	fileTarget = 0.7
	// listedFiles are in the directory that is listed.
	listedFiles = 10_000
	listTarget  = time.Second
)

// measureFiles measures an upload and a download, beside cp on the same disk, and a list. The engine is
// simulated, as none of it takes part.
func (l *lab) measureFiles(ctx context.Context) error {
	return l.simulated(func(_ *simengine.Sim, p *proxy) error {
		return l.with(ctx, p.host(), func(d *daemon) error {
			volumes, err := d.furnish(ctx, 1)
			if err != nil {
				return err
			}
			return errors.Join(l.measureTransfers(ctx, d, volumes[0]), l.measureFileList(ctx, d, volumes[0]))
		})
	})
}

// measureTransfers takes turns in copying a file by cp, to a volume, and back.
func (l *lab) measureTransfers(ctx context.Context, d *daemon, volume string) error {
	say("copy a file of %d MiB", fileBytes>>20)
	source, copied := filepath.Join(l.dir, "source"), filepath.Join(l.dir, "copied")
	if err := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf("head -c %d /dev/urandom > %s", fileBytes, source)).Run(); err != nil {
		return fmt.Errorf("make a file to copy: %w", err)
	}
	defer os.Remove(source)
	defer os.Remove(copied)
	var plain, synced, up, down []time.Duration
	for range fileRounds {
		for _, one := range []struct {
			took *[]time.Duration
			run  func() error
		}{
			{&plain, func() error { return exec.CommandContext(ctx, "cp", source, copied).Run() }},
			{&synced, func() error {
				return exec.CommandContext(ctx, "sh", "-c", `cp "$0" "$1" && sync "$1"`, source, copied).Run()
			}},
			{&up, func() error { return d.send(ctx, volume, source) }},
			{&down, func() error { return d.fetch(ctx, volume, copied) }},
		} {
			// What the one before has left to be written is not this one's.
			if err := exec.CommandContext(ctx, "sync").Run(); err != nil {
				return err
			}
			if err := os.Remove(copied); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			began := time.Now()
			if err := one.run(); err != nil {
				return fmt.Errorf("copy a file: %w", err)
			}
			*one.took = append(*one.took, time.Since(began))
		}
	}
	rate := func(part, whole []time.Duration) float64 { return median(whole).Seconds() / median(part).Seconds() }
	l.report.Note("a file of 1 GiB by cp, and by cp and sync", ms(median(plain))+", "+ms(median(synced)))
	l.report.Add("  uploaded to a volume, on disk when answered", fmt.Sprintf("%s, %.2f of cp and sync, %.2f of cp", ms(median(up)), rate(up, synced), rate(up, plain)),
		"0.7 of cp and sync", rate(up, synced) >= fileTarget,
		times("lightd", up), times("cp and sync", synced), times("cp", plain))
	l.report.Add("  downloaded from it to a file", fmt.Sprintf("%s, %.2f of cp", ms(median(down)), rate(down, plain)), "0.7 of cp", rate(down, plain) >= fileTarget,
		times("lightd", down), times("cp", plain))
	return nil
}

func (d *daemon) files(ctx context.Context, method, volume, query string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, d.base+"/volumes/"+volume+"/files?"+query, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	response, err := d.http.Do(r)
	if err == nil && response.StatusCode >= 300 {
		err = errors.Join(fmt.Errorf("%s files: status %d", method, response.StatusCode), response.Body.Close())
	}
	return response, err
}

// send uploads a file to a volume, and fetch downloads it.
func (d *daemon) send(ctx context.Context, volume, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	response, err := d.files(ctx, http.MethodPut, volume, "path=file", f)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (d *daemon) fetch(ctx context.Context, volume, to string) error {
	response, err := d.files(ctx, http.MethodGet, volume, "path=file&download=true", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, response.Body)
	if err == nil && n != fileBytes {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, f.Close())
}

// measureFileList measures the list of a large directory.
func (l *lab) measureFileList(ctx context.Context, d *daemon, volume string) error {
	dir := filepath.Join(l.dir, "data", "volumes", volume, "many")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for i := range listedFiles {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%05d.txt", i)), []byte("hello\n"), 0o644); err != nil {
			return err
		}
	}
	took, err := timedTimes(20, func() error {
		response, err := d.files(ctx, http.MethodGet, volume, "path=many", nil)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err == nil && bytes.Count(data, []byte(`"name"`)) != listedFiles+1 {
			err = errors.New("the list is not complete")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	l.report.Add(fmt.Sprintf("a list of %d files, with MIME types", listedFiles), spread(took), "median < 1 s", median(took) < listTarget, times("lightd", took))
	return nil
}

// timedTimes returns how long each of n calls takes.
func timedTimes(n int, fn func() error) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		if err := fn(); err != nil {
			return nil, err
		}
		took[i] = time.Since(began)
	}
	return took, nil
}
