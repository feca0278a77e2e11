package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// A panel makes a container, waits until it runs, and looks at it.
func Example() {
	url := address()
	c, err := client.New(client.Config{URL: url, Token: token})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()

	volume, err := c.CreateVolume(ctx)
	if err != nil {
		log.Fatal(err)
	}
	spec := desired.DefaultSpec()
	spec.InternalID, spec.Image = "quake-1", "alpine:3"
	spec.VolumeID, spec.StartupCommand = volume.VolumeID, "./server"
	spec.StartPattern = "Hello"
	spec.Power = desired.PowerRunning
	receipt, err := c.Put(ctx, spec, client.Write{
		Wait: api.UntilRunning, Timeout: 30 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := receipt.Unmet(); err != nil {
		log.Fatal(err) // it does not run, and the error says why
	}
	now, err := c.Get(ctx, "quake-1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(now.InternalID, now.State, now.Generation, now.ObservedGeneration)
	// Output: quake-1 running 1 1
}

// What a change would bring is asked before it is made.
func ExampleClient_Patch() {
	c := connect()
	defer c.Close()
	ctx := context.Background()
	setUp(ctx, c, "quake-2")

	change := map[string]any{"env": map[string]string{"MAP": "q3dm17"}}
	would, err := c.Patch(ctx, "quake-2", change, client.Write{DryRun: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range would.Steps {
		fmt.Println(step.Kind+":", step.Reason)
	}
	fmt.Println("recreates:", would.Recreates)

	now, err := c.Get(ctx, "quake-2")
	if err != nil {
		log.Fatal(err)
	}
	// Only if nobody has changed it meanwhile.
	receipt, err := c.Patch(ctx, "quake-2", change, client.Write{IfMatch: now.ETag})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("generation:", receipt.Generation)
	// Output:
	// CheckHost: env.MAP changed
	// StopContainer: env.MAP changed
	// RemoveContainer: env.MAP changed
	// CreateContainer: the container does not exist
	// StartContainer: power is running
	// recreates: true
	// generation: 2
}

// A program keeps a copy of what there is.
func ExampleClient_Watch() {
	c := connect()
	defer c.Close()
	ctx := context.Background()
	setUp(ctx, c, "quake-3")

	containers := map[string]*api.Container{}
	watch := client.Watch{Selector: "name=quake-3"}
	for e, err := range c.Watch(ctx, watch) {
		if err != nil {
			log.Fatal(err)
		}
		switch e.Type {
		case api.ChangeAdded, api.ChangeModified:
			containers[e.Container.InternalID] = e.Container
		case api.ChangeDeleted:
			delete(containers, e.Container.InternalID)
		}
		if e.Type == api.Bookmark {
			break // the copy is complete; a real program goes on
		}
	}
	fmt.Println(len(containers), containers["quake-3"].State)
	// Output: 1 running
}

// A person at a console says something and reads the answer.
func ExampleConsole() {
	c := connect()
	defer c.Close()
	ctx := context.Background()
	setUp(ctx, c, "quake-4")

	k, err := c.Console(ctx, "quake-4", client.From{After: client.Now})
	if err != nil {
		log.Fatal(err)
	}
	defer k.Close()
	for m, err := range k.Messages() {
		if err != nil {
			log.Fatal(err)
		}
		if m.Kind == api.MessageWord { // the greeting
			if err := k.SendCommand(ctx, "say hi\n"); err != nil {
				log.Fatal(err)
			}
		}
		if _, answer, found := strings.Cut(m.Text, "heard "); found {
			fmt.Println(strings.TrimSpace(answer))
			break
		}
	}
	// Output: say hi
}

// The first page of events, oldest first.
func ExampleClient_Events() {
	c := connect()
	defer c.Close()
	ctx := context.Background()
	setUp(ctx, c, "quake-5")

	for e, err := range c.Events(ctx, "quake-5", 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Type)
	}
	// Output:
	// Started
	// CreatingContainer
	// ContainerCreated
	// SettingUpEntrypoint
	// Ready
	// Starting
	// Running
}

// A refusal says what is wrong, and with which field.
func ExampleError() {
	c := connect()
	defer c.Close()

	_, err := c.Put(context.Background(), desired.Spec{InternalID: "quake 6", Image: "alpine:3"}, client.Write{})
	var refusal *client.Error
	if errors.As(err, &refusal) && errors.Is(err, client.ErrInvalid) {
		fmt.Println(refusal.Status, refusal.Code, refusal.Details[0].Field)
	}
	_, err = c.Get(context.Background(), "quake-6")
	fmt.Println(errors.Is(err, client.ErrNotFound))
	// Output:
	// 400 invalid image_policy
	// true
}

// setUp makes a container that runs.
func setUp(ctx context.Context, c *client.Client, id string) {
	volume, err := c.CreateVolume(ctx)
	if err != nil {
		log.Fatal(err)
	}
	spec := desired.DefaultSpec()
	spec.InternalID, spec.Image, spec.VolumeID = id, "alpine:3", volume.VolumeID
	spec.StartupCommand, spec.StartPattern, spec.Power = "./server", "Hello", desired.PowerRunning
	spec.Labels = map[string]string{"name": id}
	if _, err := c.Create(ctx, spec, client.Write{}); err != nil {
		log.Fatal(err)
	}
	for e, err := range c.FollowEvents(ctx, id, 0) {
		if err != nil {
			log.Fatal(err)
		}
		if e.Type == "Running" {
			return
		}
	}
}

// A file of a server is read, changed and written back, unless somebody else has written it meanwhile.
func ExampleClient_WriteFile() {
	ctx := context.Background()
	c := connect()
	defer c.Close()
	volume, err := c.CreateVolume(ctx)
	if err != nil {
		log.Fatal(err)
	}
	id := volume.VolumeID
	if _, err := c.WriteFile(ctx, id, "server.properties", strings.NewReader("motd=old\n"), client.FileWrite{}); err != nil {
		log.Fatal(err)
	}

	f, err := c.ReadFile(ctx, id, "server.properties")
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		log.Fatal(err)
	}
	changed := strings.NewReader(strings.ReplaceAll(string(text), "old", "new"))
	wrote, err := c.WriteFile(ctx, id, "server.properties", changed, client.FileWrite{IfMatch: f.ETag})
	fmt.Println(wrote.Name, wrote.Size, err)
	_, err = c.WriteFile(ctx, id, "server.properties", changed, client.FileWrite{IfMatch: f.ETag})
	fmt.Println(errors.Is(err, client.ErrPrecondition))

	// Archives are jobs.
	job, err := c.StartFileJob(ctx, id, api.FileOperation{Op: client.Compress, Paths: []string{"/"}, To: "backup.tar.zst"})
	if err == nil {
		job, err = c.WaitFileJob(ctx, id, job.ID, nil)
	}
	fmt.Println(job.State, err)
	// Output:
	// server.properties 9 <nil>
	// true
	// done <nil>
}
