package kv

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
)

// pendingLoads bounds how many batches of a backup are written at once.
const pendingLoads = 16

// Backup writes all records as of one moment to w, while others write. Restore reads them. What is written
// is Badger's own format of backups, whose end does not show: whoever keeps it has to know its length.
func (db *DB) Backup(w io.Writer) error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return desired.ErrClosed
	}
	stream := db.engine.badger.NewStream()
	stream.NumGo = 1 // each reader has a snapshot of its own
	if _, err := stream.Backup(w, 0); err != nil {
		return fmt.Errorf("back up database %s: %w", db.dir, err)
	}
	return nil
}

// Restore makes a database of a backup in dir, which must be empty or missing. The error of one that is
// not whole is a *DamagedError; what is in dir then is of no use. Numbers that were given out after the
// backup are not given out again by whoever opens the database.
func Restore(dir string, from io.Reader, log *slog.Logger) (err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("restore a database in %s: it is not empty", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create database directory %s: %w", dir, err)
	}
	if err := recordFormat(dir); err != nil {
		return err
	}
	restored, err := badger.Open(tuning(dir, log))
	if err != nil {
		return fmt.Errorf("restore a database in %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, restored.Close()) }()
	if err := restored.Load(from, pendingLoads); err != nil {
		return fmt.Errorf("restore a database in %s: %w", dir, err)
	}
	snapshot := restored.NewTransaction(false)
	defer snapshot.Discard()
	tx, err := openTx(snapshot, true)
	if err != nil {
		return Damaged("read the backup", err)
	}
	sum, err := sumAll(snapshot)
	if err != nil {
		return Damaged("read the backup", err)
	}
	if tx.counters.revision == 0 || sum != tx.counters.sum {
		return Damaged("records of the backup are missing or altered", errors.New("their sum is another one"))
	}
	return nil
}
