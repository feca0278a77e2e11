// Command openapi is a client that oapi-codegen makes the types and the calls of, against a
// daemon: its URL is the argument, the token is in LIGHTD_TOKEN. It is a module of its own, so
// that the generator and what it needs are no dependencies of the daemon.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"lightd/hack/openapi/lightd"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func run(ctx context.Context, url string) error {
	c, err := lightd.NewClientWithResponses(url, lightd.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("LIGHTD_TOKEN"))
		return nil
	}))
	if err != nil {
		return err
	}
	volume, err := c.CreateVolumeWithResponse(ctx, nil, lightd.CreateVolumeJSONRequestBody{})
	if err != nil || volume.JSON201 == nil {
		return fmt.Errorf("create a volume: %w: %s", err, volume.Body)
	}
	// What a request may leave out is left out.
	id, memory := "golang", int64(64<<20)
	spec := lightd.ContainerSpec{
		InternalId: &id, Image: os.Getenv("LIGHTD_IMAGE"), VolumeId: volume.JSON201.VolumeId, StartupCommand: "./server",
		Labels: &map[string]string{"by": id}, Limits: &lightd.LimitsSpec{Memory: &memory},
	}
	wait := lightd.GoalInstalled
	created, err := c.CreateContainerWithResponse(ctx, &lightd.CreateContainerParams{Wait: &wait}, spec)
	if err != nil || created.JSON201 == nil || created.JSON201.Generation != 1 {
		return fmt.Errorf("create: %w: %s", err, created.Body)
	}
	if err := change(ctx, c, id); err != nil {
		return err
	}
	return read(ctx, c, id, spec)
}

// change reads the container and changes it.
func change(ctx context.Context, c *lightd.ClientWithResponses, id string) error {
	got, err := c.GetContainerWithResponse(ctx, id, nil)
	if err != nil || got.JSON200 == nil {
		return fmt.Errorf("get: %w: %s", err, got.Body)
	}
	// What an answer has is there, without a pointer.
	if one := got.JSON200; one.InternalId != id || one.Limits.Pids != 512 || one.Stop.Timeout != "10s" || len(one.Conditions) == 0 {
		return fmt.Errorf("get: %s", got.Body)
	}
	tag := got.HTTPResponse.Header.Get("ETag")
	again, err := c.GetContainerWithResponse(ctx, id, &lightd.GetContainerParams{IfNoneMatch: &tag})
	if err != nil || again.StatusCode() != http.StatusNotModified {
		return fmt.Errorf("get again: %w: %s", err, again.Body)
	}
	memory := int64(128 << 20)
	patched, err := c.PatchContainerWithResponse(ctx, id, nil, lightd.ContainerPatch{Limits: &lightd.LimitsPatch{Memory: &memory}})
	if err != nil || patched.JSON200 == nil || patched.JSON200.Generation != 2 {
		return fmt.Errorf("patch: %w: %s", err, patched.Body)
	}
	return nil
}

// read lists the container, sends what is refused, and deletes it.
func read(ctx context.Context, c *lightd.ClientWithResponses, id string, spec lightd.ContainerSpec) error {
	selector := "by=" + id
	listed, err := c.ListContainersWithResponse(ctx, &lightd.ListContainersParams{Selector: &selector})
	if err != nil || listed.JSON200 == nil || len(listed.JSON200.Containers) != 1 || listed.JSON200.Containers[0].InternalId != id {
		return fmt.Errorf("list: %w: %s", err, listed.Body)
	}
	other := "golang-2"
	spec.InternalId, spec.Image = &other, ""
	refused, err := c.CreateContainerWithResponse(ctx, nil, spec)
	if err != nil || refused.JSON400 == nil || refused.JSON400.Code != "invalid" || *(*refused.JSON400.Details)[0].Field != "image" {
		return fmt.Errorf("create what is not valid: %w: %s", err, refused.Body)
	}
	missing, err := c.GetContainerWithResponse(ctx, "nobody", nil)
	if err != nil || missing.JSON404 == nil || missing.JSON404.Code != "container_not_found" {
		return fmt.Errorf("get nobody: %w: %s", err, missing.Body)
	}
	deleted, err := c.DeleteContainerWithResponse(ctx, id, nil)
	if err != nil || deleted.JSON200 == nil {
		return fmt.Errorf("delete: %w: %s", err, deleted.Body)
	}
	return nil
}
