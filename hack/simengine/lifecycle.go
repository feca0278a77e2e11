package simengine

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"
)

const sigKill = int(syscall.SIGKILL)

// signalNumber returns the number of a signal by its name or number, or -1.
func signalNumber(name string) int {
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n <= 64 {
		return n
	}
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if n := unix.SignalNum(name); n != 0 {
		return int(n)
	}
	for prefix, base := range map[string]int{"SIGRTMIN": 34, "SIGRTMAX": 64} {
		if offset, found := strings.CutPrefix(name, prefix); found {
			if n, err := strconv.Atoi(cmp.Or(offset, "0")); err == nil && 34 <= base+n && base+n <= 64 {
				return base + n
			}
		}
	}
	return -1
}

// terminates reports whether a signal ends a process that does not care for it.
func terminates(sig int) bool {
	switch syscall.Signal(sig) {
	case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGURG, syscall.SIGWINCH,
		syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
		return false
	}
	return true
}

func (s *Sim) startContainer(c *call) (answer, error) {
	defer s.holdPorts(c.id, true)()
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	switch {
	case err != nil:
		return answer{}, err
	case target.paused:
		return answer{}, refuse(http.StatusConflict, "cannot start a paused container, try unpause instead")
	case target.running:
		return answer{status: http.StatusNotModified}, nil
	case target.removing:
		return answer{}, refuse(http.StatusConflict, "container is marked for removal and cannot be started")
	case s.full:
		return answer{}, errNoSpace("containers/" + target.id)
	}
	if err := s.startLocked(target); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

func (s *Sim) killContainer(c *call) (answer, error) {
	sig := sigKill
	if name := c.query.Get("signal"); name != "" {
		if sig = signalNumber(name); sig < 0 {
			return answer{}, refuse(http.StatusBadRequest, "Invalid signal: %s", name)
		}
	}
	if sig == sigKill {
		defer s.holdPorts(c.id, false)()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	if err != nil {
		return answer{}, refuse(http.StatusNotFound, "Cannot kill container: %s: %s", c.id, err.(refusal).message)
	}
	if !target.running {
		return answer{}, refuse(http.StatusConflict,
			"Cannot kill container: %s: Container %s is not running", c.id, target.id)
	}
	s.signalLocked(target, sig)
	return answer{status: http.StatusNoContent}, nil
}

// signalLocked sends a signal to the first process of a container, and wakes a paused one that
// is to end. The caller holds the lock.
func (s *Sim) signalLocked(c *box, sig int) {
	s.emitLocked(c, "kill", map[string]string{"signal": strconv.Itoa(sig)})
	wasPaused := c.paused && (c.config.StopSignal == "" || sig == sigKill || signalNumber(c.config.StopSignal) == sig)
	if sig != sigKill && wasPaused {
		c.paused = false
		s.emitLocked(c, "unpause", nil)
	}
	s.deliverLocked(c, sig, c.init())
}

// deliverLocked delivers a signal to the program. One that handles no signals ends by it if
// mortal: with docker-init in front, or when not the first process. The caller holds the lock.
func (s *Sim) deliverLocked(c *box, sig int, mortal bool) {
	switch {
	case sig == sigKill:
		s.exitLocked(c, 128+sig, false)
	case c.process != nil && c.process.wantsLocked(syscall.Signal(sig)):
	case mortal && terminates(sig):
		s.exitLocked(c, 128+sig, false)
	}
}

func (s *Sim) stopContainer(c *call) (answer, error) {
	ctx, cancel := s.ends(c)
	defer cancel()
	grace := 10 * time.Second
	if seconds, err := strconv.Atoi(c.query.Get("t")); err == nil {
		grace = time.Duration(seconds) * time.Second
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	if err != nil {
		return answer{}, err
	}
	if !target.running {
		return answer{status: http.StatusNotModified}, nil
	}
	sig := max(signalNumber(target.config.StopSignal), 0)
	if sig == 0 {
		sig = int(syscall.SIGTERM)
	}
	exited := target.exited
	s.signalLocked(target, sig)
	if target.running {
		s.mu.Unlock()
		timer := time.NewTimer(grace)
		select {
		case <-exited:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		s.mu.Lock()
	}
	if target.running && target.exited == exited {
		s.signalLocked(target, sigKill)
	}
	s.emitLocked(target, "stop", nil)
	return answer{status: http.StatusNoContent}, nil
}

func (s *Sim) waitContainer(c *call) (answer, error) {
	ctx, cancel := s.ends(c)
	defer cancel()
	s.mu.Lock()
	target, err := s.findLocked(c.id)
	if err != nil {
		s.mu.Unlock()
		return answer{}, err
	}
	s.mu.Unlock()
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(c.w).Flush()
	s.awaitEnd(ctx, target, c.query.Get("condition"))
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	code := target.exitCode
	s.mu.Unlock()
	_ = json.NewEncoder(c.w).Encode(map[string]any{"Error": nil, "StatusCode": code})
	return streamed, nil
}

// awaitEnd waits for a condition of wait, for the removal, or for ctx.
func (s *Sim) awaitEnd(ctx context.Context, c *box, condition string) {
	await := func(done <-chan struct{}) {
		select {
		case <-done:
		case <-c.gone:
		case <-ctx.Done():
		}
	}
	if condition == "removed" {
		await(c.gone)
		return
	}
	s.mu.Lock()
	begun, exited, running := c.begun, c.exited, c.running
	s.mu.Unlock()
	if condition == "next-exit" && !running {
		await(begun)
		s.mu.Lock()
		exited = c.exited
		s.mu.Unlock()
	}
	await(exited)
}

func (s *Sim) pauseContainer(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	switch {
	case err != nil:
		return answer{}, err
	case !target.running:
		return answer{}, refuse(http.StatusConflict, "Container %s is not running", target.id)
	case target.paused:
		return answer{}, refuse(http.StatusConflict, "Container %s is already paused", target.id)
	}
	target.paused = true
	s.emitLocked(target, "pause", nil)
	return answer{status: http.StatusNoContent}, nil
}

func (s *Sim) unpauseContainer(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	switch {
	case err != nil:
		return answer{}, err
	case !target.paused:
		return answer{}, refuse(http.StatusInternalServerError, "Container %s is not paused", target.id)
	}
	target.paused = false
	s.emitLocked(target, "unpause", nil)
	return answer{status: http.StatusNoContent}, nil
}

func (s *Sim) renameContainer(c *call) (answer, error) {
	name := strings.TrimPrefix(c.query.Get("name"), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	switch {
	case err != nil:
		return answer{}, err
	case name == "":
		return answer{}, refuse(http.StatusBadRequest, "Neither old nor new names may be empty")
	case !validName.MatchString(name):
		return answer{}, refuse(http.StatusBadRequest,
			"Error when allocating new name: Invalid container name (/%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	case target.name == name:
		return answer{}, refuse(http.StatusBadRequest, "Renaming a container with the same name as its current name")
	case s.byName[name] != nil:
		return answer{}, refuse(http.StatusConflict, "Error when allocating new name: %s", nameTaken(name, s.byName[name]))
	}
	old := target.name
	delete(s.byName, old)
	target.name = name
	s.byName[name] = target
	s.emitLocked(target, "rename", map[string]string{"oldName": "/" + old})
	return answer{status: http.StatusNoContent}, nil
}

func (s *Sim) updateContainer(c *call) (answer, error) {
	var request container.UpdateConfig
	if err := c.decode(&request); err != nil {
		return answer{}, err
	}
	if request.Memory != 0 && request.Memory < minMemory {
		return answer{}, refuse(http.StatusBadRequest, "Minimum memory limit allowed is 6MB")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	if err != nil {
		return answer{}, err
	}
	if target.removing {
		return answer{}, refuse(http.StatusInternalServerError,
			"Cannot update container %s: Container is marked for removal and cannot be \"update\".", target.id)
	}
	host := *target.host
	warnings := s.discardLimitsLocked(&request.Resources)
	if conflict := update(&host.Resources, &request.Resources); conflict != "" {
		return answer{}, refuse(http.StatusConflict, "Cannot update container %s: %s", target.id, conflict)
	}
	if request.RestartPolicy.Name != "" {
		host.RestartPolicy = request.RestartPolicy
	}
	target.host = &host
	s.emitLocked(target, "update", nil)
	return answer{http.StatusOK, container.UpdateResponse{Warnings: warnings}}, nil
}
