package plan

import (
	"fmt"
	"time"

	"lightd/observed"
)

// measureEvery is how often what a running install script has written is measured: the engine reads
// the sizes of all its files for that. See Disk.pace.
const measureEvery = 15 * time.Second

// UnmeasurableMost is how many measurements in a row may exceed their time: with that many, what the script
// has written counts as more than the bound.
const UnmeasurableMost = 2

// observeLayer records that the install container has written more than it may. That stays so,
// whatever it deletes until it is killed.
func (r *planner) observeLayer() {
	in, most := &r.st.Install, r.in.MaxInstallation
	beyond := in.LayerBytes > most || in.Unmeasurable >= UnmeasurableMost
	if most > 0 && beyond && in.LayerExceeded == 0 {
		in.LayerExceeded = most
	}
}

// wroteTooMuch is why a script is killed, or its installation fails.
func (r *planner) wroteTooMuch() string {
	if low := r.st.Install.DiskLow; low != "" {
		return low
	}
	if r.st.Install.Unmeasurable >= UnmeasurableMost {
		return "what the installation wrote outside the volume, or has open, is too many files to be measured in time (containers.max_installation)"
	}
	return fmt.Sprintf("the installation wrote more than %s outside the volume (containers.max_installation)", sizeText(r.st.Install.LayerExceeded))
}

// sizeText returns a size as the configuration has it: 10g.
func sizeText(n int64) string {
	units := []string{"", "k", "m", "g", "t"}
	at := 0
	for ; at < len(units)-1 && n > 0 && n%1024 == 0; at++ {
		n /= 1024
	}
	return fmt.Sprintf("%d%s", n, units[at])
}

// endsUnmeasured reports whether the script has ended well, and what it wrote until then is not measured.
func (r *planner) endsUnmeasured(c *observed.Container) bool {
	in := r.st.Install
	return r.in.MaxInstallation > 0 && !in.Measured && !in.WroteTooMuch() && !in.TimedOut &&
		c.Phase == observed.Exited && c.ExitCode == 0
}

// measure has c measured once it is due, and otherwise waits as n does. The script goes on meanwhile,
// so the condition stays that of the wait.
func (r *planner) measure(c *observed.Container, n next) next {
	every, look := r.in.Disk.pace()
	if r.in.MaxInstallation <= 0 && every == measureEvery {
		if r.in.Disk.known() {
			n.after = min(n.after, look)
		}
		return n
	}
	last := r.st.Install.ScriptAt
	if at := r.st.Install.MeasuredAt; at.After(last) {
		last = at
	}
	left := last.Add(every).Sub(r.in.Now)
	if left > 0 {
		n.after = min(n.after, left, look)
		return n
	}
	n.step = step(MeasureInstallation, "the install script runs").on(c).step
	n.step.Repeats = !r.st.Install.MeasuredAt.IsZero()
	return n
}
