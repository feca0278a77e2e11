package plan

import (
	"fmt"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// InstallImage returns the reference that an installation of a spec which is to be made, or is being made, runs
// in; empty where that has no image of its own.
func InstallImage(spec desired.Container, st status.Status) string {
	switch in := st.Install; {
	case spec.Requests.Install > in.Request || in.Phase == status.InstallPreparing || in.Phase == "":
		return spec.Installation().Image
	case in.Separate && in.Phase != status.InstallDone && in.Phase != status.InstallFailed:
		return in.Image
	}
	return ""
}

// needImage returns true when the image that a container is made from is there, and
// else what is to be done for it.
func (r *planner) needImage() (next, bool) {
	ref, img := r.image(), r.in.Image
	if ref == r.st.Install.Snapshot {
		img = r.in.Snapshot
	}
	return r.need(ref, img)
}

// needInstallImage is needImage for the container of the install script.
func (r *planner) needInstallImage() (next, bool) {
	if in := r.st.Install; in.Script && in.Separate {
		return r.need(in.Image, r.in.InstallImage)
	}
	return r.needImage()
}

func (r *planner) need(ref string, img observed.Image) (next, bool) {
	ask, missing := r.asksRegistry(ref), "image "+ref+" is not on this machine"
	switch {
	case !img.Known:
		return waitFor(status.ReasonProgressing, "looking for image "+ref, 0), false
	case img.Present && !ask:
		return next{}, true
	case ask && img.Pulling:
		r.awaitPull(ref)
	case ask && img.Present:
		return step(PullImage, "image_pull is always").from(ref), false
	}
	switch {
	case ref == r.st.Install.Snapshot && r.snapshotUntagged() && !r.in.RunImage.Known:
		return waitFor(status.ReasonProgressing, "looking for what image "+ref+" was", 0), false
	case ref == r.st.Install.Snapshot:
		return r.restore(), false
	case img.Pulling && (img.PullError == "" || img.PullTotal > 0):
		return waitFor(status.ReasonProgressing, pulling(ref, img), 0).then(PullImage), false
	case img.Pulling: // once more, and nothing has come yet
		n := waitFor(pullReason(img), img.PullError, 0).then(PullImage)
		n.retrying = true
		return n, false
	}
	switch {
	case r.in.Spec.ImagePull == desired.ImagePullNever:
		return waitFor(status.ReasonImageNotPresent, missing+", and image_pull is never", 0), false
	case img.PullError == "":
		return step(PullImage, missing).from(ref), false
	}
	at := img.PullFailedAt.Add(pullDelay(img))
	if left := at.Sub(r.in.Now); left > 0 && !r.imageSooner() {
		n := waitFor(pullReason(img), img.PullError, left).then(PullImage)
		n.attempt = Attempt{at, img.PullFailures + 1}
		return n, false
	}
	n := step(PullImage, missing).from(ref).repeats(img.PullFailures)
	n.wait, n.message, n.retrying = pullReason(img), img.PullError, true
	return n, false
}

// asksRegistry reports whether image_pull has the registry asked for an image of the next container
// though it is here. It was asked once for that container is enough; a digest never means another image.
func (r *planner) asksRegistry(ref string) bool {
	return r.in.Spec.ImagePull == desired.ImagePullAlways && ref != r.st.Install.Snapshot && !desired.HasDigest(ref) && !r.st.ImagePulls[ref].Done
}

// awaitPull records that the next container waits for a pull that is under way, unless it waits for
// one already.
func (r *planner) awaitPull(ref string) {
	if _, waits := r.st.ImagePulls[ref]; !waits {
		r.recordPull(ref)
	}
}

// recordPull records that the next container waits for the end of a pull from now on.
func (r *planner) recordPull(ref string) {
	if r.st.ImagePulls == nil {
		r.st.ImagePulls = map[string]status.ImagePull{}
	}
	r.st.ImagePulls[ref] = status.ImagePull{At: r.in.Now}
}

// observePull notes that the registry was asked for an image that is here. Where that has failed, the
// next container is made from what is here.
func (r *planner) observePull(ref string, img observed.Image) {
	pull, asked := r.st.ImagePulls[ref]
	if !asked || pull.Done || !img.Present || img.Pulling {
		return
	}
	switch {
	case !img.PulledAt.IsZero() && !img.PulledAt.Before(pull.At):
		r.st.ImagePulls[ref] = status.ImagePull{At: pull.At, Done: true}
	case img.PullError != "" && !img.PullFailedAt.Before(pull.At):
		r.st.ImagePulls[ref] = status.ImagePull{At: pull.At, Done: true}
		r.emit(journal.PullFailed, img.PullError+"; the image that is on this machine is used")
		r.st.Pulling = ""
	}
}

// pullDelay is how long a pull that has failed waits for the next try: ever longer where the registry
// has answered that it gives nothing.
func pullDelay(img observed.Image) time.Duration {
	delay := pullRetry
	for range img.PullFailures - 1 {
		if !img.PullRefused || delay >= pullRetryMost {
			break
		}
		delay = min(2*delay, pullRetryMost)
	}
	return delay
}

// pullReason is why an image could not be pulled.
func pullReason(img observed.Image) status.Reason {
	if img.PullForbidden {
		return status.ReasonImageNotAllowed
	}
	return status.ReasonImageUnavailable
}

// imageSooner reports whether the spec was written since the image was last pulled or loaded for
// this container, which brings the next try forward.
func (r *planner) imageSooner() bool {
	return r.st.ImageGeneration != 0 && r.st.ImageGeneration != r.in.Spec.Generation
}

// pulling describes the progress of a pull, as far as it is known.
func pulling(ref string, img observed.Image) string {
	message := "pulling image " + ref
	if img.PullTotal > 0 {
		const mb = 1e6 // as Docker counts them
		message += fmt.Sprintf(": %.1f of %.1f MB", float64(img.PulledBytes)/mb, float64(img.PullTotal)/mb)
	}
	return message
}

// snapshotUntagged reports whether the image that the container and its installation rest on has
// lost its name. It stays for as long as the container runs.
func (r *planner) snapshotUntagged() bool {
	run, ref := r.in.Seen.Run, r.st.Install.Snapshot
	return ref != "" && r.in.Snapshot.Known && !r.in.Snapshot.Present && run != nil && run.Image == ref
}

// restore loads the image that keeps the installation from its copy: it was pruned, removed by
// force, or is on another engine.
func (r *planner) restore() next {
	ref, copied := r.st.Install.Snapshot, r.in.Copy
	switch left := copied.LoadFailedAt.Add(pullRetry).Sub(r.in.Now); {
	case copied.Loading && copied.LoadError != "":
		return waitFor(status.ReasonImageUnavailable, copied.LoadError, 0).then(LoadSnapshot)
	case copied.Loading:
		return waitFor(status.ReasonProgressing, "loading image "+ref+" from its copy", 0).then(LoadSnapshot)
	case !copied.Present:
		return r.imageLost(ref)
	case copied.LoadError != "" && left > 0 && !r.imageSooner():
		n := waitFor(status.ReasonImageUnavailable, copied.LoadError, left).then(LoadSnapshot)
		n.attempt = Attempt{At: copied.LoadFailedAt.Add(pullRetry)}
		return n
	}
	n := step(LoadSnapshot, "image "+ref+", which keeps the installation, is not on this engine").from(ref)
	if copied.LoadError != "" {
		n.wait, n.message = status.ReasonImageUnavailable, copied.LoadError
	}
	return n
}

// imageLost is an installation whose image is gone, and its copy too. Without it a container would
// lack what the script made, and the script runs again only when a client requests it.
func (r *planner) imageLost(ref string) next {
	copied := "there is no copy of it"
	if r.in.Copy.Damaged {
		copied = "its copy is damaged"
	}
	return next{wait: status.ReasonInstallLost, upToDate: true,
		message: "the image " + ref + ", which keeps what the install script made, is not on this engine, and " + copied +
			": load it, or reinstall"}
}

// tagMoved reports whether the tag that the container was made from is another image now.
// What an installation changed rests on the image that it ran on: that one stays.
func (r *planner) tagMoved() bool {
	run := r.in.Seen.Run
	return r.image() == r.in.Spec.Image && run.Image == r.in.Spec.Image && r.in.Image.Present && r.in.Image.ImageID != run.ImageID
}

// imageReplaced reports whether the image that the present generation could not run from is
// another one now. A container that never ran is recreated for that, whatever the image policy.
func (r *planner) imageReplaced() bool {
	failed := r.st.FailedImage
	replaced := func(image observed.Image) bool { return image.Present && image.ImageID != failed }
	if InstallImage(r.in.Spec, r.st) != "" && !replaced(r.in.InstallImage) {
		return false
	}
	return failed != "" && r.image() == r.in.Spec.Image && replaced(r.in.Image)
}

// nextSnapshot restores the image that keeps the installation while all else is in order: the
// present container runs without it, but it could not be recreated.
func (r *planner) nextSnapshot() next {
	if !r.snapshotUntagged() || !r.in.RunImage.Known {
		return next{upToDate: true}
	}
	return r.restore()
}
