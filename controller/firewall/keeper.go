package firewall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// CheckEvery is how often the table is compared with what it should be.
const CheckEvery = 10 * time.Second

// tellAgain is how long a table that is altered in the same way again and again is reported once: another
// program of the host may keep removing it.
const tellAgain = 10 * time.Minute

// retryAfter is when a check that had an error is made again.
const retryAfter = time.Second

// Why the firewall is missing where the kernel and the daemon's rights are not what it lacks.
const (
	OtherNamespace = "the engine is in another network namespace than the daemon"
	ByTCP          = "the engine is reached by TCP, and may be on another host"
)

// ErrMissing is in the chain of the error of a start that needs a firewall that cannot be had.
var ErrMissing = errors.New("the firewall of containers is missing")

// Config is which firewall to keep.
type Config struct {
	Policy
	// Table is the name of the table, which no other instance has; empty stands for "lightd".
	Table string
	// Networks, unless nil, returns Policy.Others as the engine has them now.
	Networks func(context.Context) ([]string, error)
	// Off keeps none, and removes one that is there.
	Off bool
	// Elsewhere is why the rules cannot be made here: the engine is on another host.
	Elsewhere string
	// Required has Ensure fail while the firewall is missing.
	Required bool
	// Every is how often it is checked; 0 stands for CheckEvery.
	Every time.Duration
	// Changed, unless nil, is called with what is worth an event: the firewall is missing, in place
	// again, or was put back.
	Changed func(State)
	Log     *slog.Logger
}

// State is how the firewall stands.
type State struct {
	// Off is true when the operator wants none.
	Off bool
	// Missing is why it is not there; empty when it is.
	Missing string
	// Since is when that was first so.
	Since time.Time
	// Restored counts how often it was put back, RestoredAt is when it last was, and Altered what was
	// found then.
	Restored   int
	RestoredAt time.Time
	Altered    string
}

// InPlace reports whether the rules are in the kernel.
func (s State) InPlace() bool { return !s.Off && s.Missing == "" }

// Keeper keeps the table. It is safe for concurrent use.
type Keeper struct {
	cfg   Config
	table table

	// begun counts the checks.
	begun atomic.Int64
	// checking holds a value while the table is compared and written.
	checking chan struct{}
	gateways []string // guarded by checking, like known: Networks has answered
	known    bool
	last     lastCheck // guarded by checking
	// verified, guarded by checking, is the generation of the rules in which the table was as it should be; nil
	// for none.
	verified *uint32
	mu       sync.Mutex
	state    State
	seen     bool      // guarded by mu, like state: the kernel was inspected once
	told     time.Time // guarded by mu: when the last restoration was reported
}

// lastCheck is the last check, by its number, and what it came to.
type lastCheck struct {
	number int64
	state  State
	err    error
}

// New returns a Keeper that has not looked at the kernel yet.
func New(cfg Config) *Keeper {
	cfg.Table = cmp.Or(cfg.Table, defaultTable)
	if cfg.Every == 0 {
		cfg.Every = CheckEvery
	}
	k := &Keeper{cfg: cfg, table: table{cfg.Table, cfg.Policy}, checking: make(chan struct{}, 1)}
	k.state = State{Off: cfg.Off, Since: time.Now()}
	return k
}

// State returns how the firewall stands, as of the last check.
func (k *Keeper) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Run keeps the table until ctx ends. The rules stay: containers run on.
func (k *Keeper) Run(ctx context.Context) error {
	if k.cfg.Off {
		if err := k.table.remove(); err != nil {
			k.cfg.Log.Debug("firewall of containers not removed", "error", err)
		}
	}
	k.tellOthers()
	for {
		every := k.cfg.Every
		if k.Ensure() != nil { // the networks are not known yet, or the rules are missing
			every = min(every, retryAfter)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(every):
		}
	}
}

// tellOthers logs the tables of other instances: what one of them drops stays dropped, also when it is gone.
func (k *Keeper) tellOthers() {
	others, _ := Tables() // Ensure tells that there is no nftables
	others = slices.DeleteFunc(others, func(name string) bool { return name == k.cfg.Table })
	if len(others) > 0 {
		k.cfg.Log.Info("other instances have rules on this host; \"nft delete table inet NAME\" removes those of one that is gone", "tables", others)
	}
}

// Ensure compares the table with what it should be, and puts it back where it is not. Gateways are the
// addresses of the interface, if they are known: where it does not have them here, the engine is in
// another network namespace, and so are its containers. The error is of a firewall that is required, or of
// networks that are not known.
func (k *Keeper) Ensure(gateways ...string) error {
	if k.cfg.Off {
		return nil
	}
	state, changed, err := k.reconcile(gateways)
	if changed && k.cfg.Changed != nil {
		k.cfg.Changed(state)
	}
	if state.Missing != "" && k.cfg.Required {
		return fmt.Errorf("%w: %s", ErrMissing, state.Missing)
	}
	return err
}

// reconcile returns how the firewall stands, and whether that is worth an event. The error is that of
// Config.Networks. Who waits for the check of another one shares the next, which begins after it came.
func (k *Keeper) reconcile(gateways []string) (now State, changed bool, err error) {
	came := k.begun.Load()
	k.checking <- struct{}{}
	defer func() { <-k.checking }()
	if k.last.number > came && (len(gateways) == 0 || slices.Equal(gateways, k.gateways)) {
		return k.last.state, false, k.last.err
	}
	number := k.begun.Add(1)
	defer func() { k.last = lastCheck{number, now, err} }()
	renewed, err := k.learn()
	if len(gateways) > 0 {
		k.gateways = gateways
	}
	missing, altered := k.cfg.Elsewhere, ""
	if missing == "" {
		missing, altered = k.check()
	}
	if renewed {
		altered = "" // the rules that are wanted are others
	}
	if missing == "" && len(k.gateways) > 0 && !hasAddress(k.cfg.Interface, k.gateways) {
		missing = OtherNamespace
	}
	now, changed = k.note(missing, altered)
	return now, changed, err
}

// learn makes the rules those of the networks that there are now, and reports whether they are others than
// before. While the engine does not answer, the ones before stay.
func (k *Keeper) learn() (renewed bool, err error) {
	if k.cfg.Networks == nil {
		k.known = true
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), networksTimeout)
	defer cancel()
	others, err := k.cfg.Networks(ctx)
	if err != nil {
		return false, fmt.Errorf("list the networks of containers: %w", err)
	}
	slices.Sort(others)
	others = slices.Compact(others)
	renewed = !slices.Equal(others, k.table.policy.Others)
	k.table.policy.Others, k.known = others, true
	if renewed {
		k.verified = nil
	}
	return renewed, nil
}

// networksTimeout bounds how long the engine may take to list its networks.
const networksTimeout = 5 * time.Second

// check returns why the table cannot be there, and in what it differed before it was put back.
func (k *Keeper) check() (missing, altered string) {
	now, unnumbered := generation() // before the table is read, which may change behind it
	if unnumbered == nil && k.verified != nil && *k.verified == now {
		return "", ""
	}
	k.verified = nil
	altered, err := k.table.differs()
	if err != nil {
		return why(err), ""
	}
	if altered == "" && unnumbered == nil {
		k.verified = &now
	}
	if altered == "" || !k.known && altered != notThere {
		return "", "" // what an earlier daemon has put there may be of networks that are not known yet
	}
	if err := k.table.apply(); err != nil {
		return why(err), ""
	}
	if left, err := k.table.differs(); err != nil || left != "" {
		return "the kernel keeps other rules than were given: " + left, ""
	}
	return "", altered
}

// note keeps the result of a check, and logs what has changed.
func (k *Keeper) note(missing, altered string) (now State, changed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, first := k.state.Missing, !k.seen
	if k.seen = true; missing != before {
		k.state.Missing, k.state.Since = missing, time.Now()
	}
	switch {
	case missing != "" && (first || missing != before):
		k.cfg.Log.Warn("firewall of containers is missing: they reach the ports of the host", "table", k.cfg.Table, "why", missing)
		return k.state, true
	case missing == "" && first:
		k.cfg.Log.Info("firewall of containers is in place", "table", k.cfg.Table, "interface", k.cfg.Interface)
	case missing == "" && (altered != "" || before != ""):
		found, at := cmp.Or(altered, before), time.Now()
		again := found == k.state.Altered && at.Sub(k.told) < tellAgain
		k.state.Restored, k.state.RestoredAt, k.state.Altered = k.state.Restored+1, at, found
		if again {
			return k.state, false
		}
		k.told = at
		k.cfg.Log.Warn("firewall of containers restored", "table", k.cfg.Table, "found", k.state.Altered)
		return k.state, true
	}
	return k.state, false
}

// hasAddress reports whether an interface of this network namespace has one of the addresses.
func hasAddress(name string, wanted []string) bool {
	found, err := net.InterfaceByName(name)
	if err != nil {
		return false
	}
	all, _ := found.Addrs()
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		own, is := a.(*net.IPNet)
		return is && slices.Contains(wanted, own.IP.String())
	})
}

// Remove removes the table.
func (k *Keeper) Remove() error { return k.table.remove() }
