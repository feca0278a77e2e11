package records

import (
	"encoding/json"
	"errors"
	"fmt"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/observed/journal"
	"lightd/observed/status"
)

var nodeKey = []byte("m/node")

func (r *Statuses) readNode(tx *kv.Tx) (err error) {
	r.node, err = recordedNode(tx)
	return err
}

func recordedNode(tx *kv.Tx) (n status.NodeStatus, err error) {
	data, err := tx.Get(nodeKey)
	if errors.Is(err, kv.ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(data, &n); err != nil {
		return n, fmt.Errorf("decode the status of the node: %w", err)
	}
	return n, nil
}

// Node returns the status of the node as of the last commit. It is shared and read-only.
func (r *Statuses) Node() status.NodeStatus {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.node
}

// PutNode records the status of the node, and returns the events of what differs from the last one, for
// the same transaction. A node that is drained stays so until it is drained anew.
func (r *Statuses) PutNode(tx *kv.Tx, now status.NodeStatus) ([]journal.Event, error) {
	before, err := recordedNode(tx)
	if err != nil {
		return nil, err
	}
	now.Drained = now.Drained || before.Drained && now.Cordon != nil && now.Cordon.Drain && before.Cordon.Since.Equal(now.Cordon.Since)
	if now.Same(before) {
		return nil, nil
	}
	if now.Cordon == nil {
		err = tx.Delete(nodeKey)
	} else {
		var data []byte
		if data, err = json.Marshal(now); err == nil {
			err = tx.SetEssential(nodeKey, data)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("write the status of the node: %w", err)
	}
	tx.AfterCommit(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.node = now
	})
	return nodeEvents(before, now), nil
}

// nodeEvents are the events of the change of a node.
func nodeEvents(before, now status.NodeStatus) (events []journal.Event) {
	if now.Cordon == nil {
		return []journal.Event{{Type: journal.NodeUncordoned}}
	}
	if before.Cordon == nil || *before.Cordon != *now.Cordon {
		events = append(events, journal.Event{Type: journal.NodeCordoned, Message: cordonMessage(*now.Cordon)})
	}
	if now.Drained && !before.Drained {
		events = append(events, journal.Event{Type: journal.NodeDrained})
	}
	return events
}

func cordonMessage(c desired.Cordon) string {
	message := "nothing new is started"
	if c.Drain {
		message = fmt.Sprintf("what runs is stopped, %d at once", c.Parallel)
	}
	if c.Reason != "" {
		message += ": " + c.Reason
	}
	return message
}
