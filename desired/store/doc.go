// Package store keeps what clients asked for, durably: containers, the network pool and
// volumes. It is a kv.DB with transactions for these.
//
// What it promises, besides what package kv does:
//
//   - No two containers ever hold overlapping ports, or mount sources inside one another.
//   - What is read from memory (Container, Containers) is current when a write is answered.
//   - Publication follows the order of commits, one transaction at a time: first memory, then
//     what the transaction left with AfterCommit, then subscribers. Whoever is notified of a
//     transaction reads memory as that transaction left it, even if later ones are on disk
//     already. A commit that failed and happened all the same is published when that is known.
//
// Others (package token, records, owner) keep their own keys in the same database: they take a
// *kv.DB, which is Store.DB, and join a transaction of the store by Tx.Tx. The first part of a
// key names its owner:
//
//	c/ID            a container                       this package
//	h/ID/NNN        a spec that it had before         this package
//	p/PROTOCOL/NN   all addresses of a port           this package
//	v/ID            a volume                          this package
//	t/HASH          a temporary token                 desired/token
//	s/ID            the status of a container         observed/records
//	e/              events                            observed/records
//	m/cordon        the cordon of the node            this package
//	m/              of the node: identity, counters   kv, observed/owner, observed/records
//
// # When the database is damaged
//
// A power cut or a kill damages nothing. A bad disk, an incomplete copy or a lost file can. The daemon
// then does not start: it names the file, or what is missing, touches no container and changes nothing
// else. Either everything that was acknowledged is there, or the database is not opened.
//
// With a backup: restore it beside the data directory, and take its database. The volumes stay as they are.
//
//	sudo systemctl stop lightd
//	sudo mv /var/lib/lightd/db /var/lib/lightd/db.damaged
//	sudo lightd restore --take-over --data-dir /srv/restored /srv/backups/node-1
//	sudo mv /srv/restored/db /var/lib/lightd/db
//	sudo systemctl start lightd
//
// Containers that were created since keep running; the log reports them as having no spec. Once all is well, remove
// db.damaged and /srv/restored, which has the tokens in it.
//
// Without a backup, where the message names the file db/acknowledged: remove that file. The daemon
// goes on with what is left of the database, and logs "record lost" for each record that cannot be read. Compare
// "lightd get" with what you expect.
//
// That file is the high-water mark: the revision up to which writes were acknowledged. The daemon logs "high-water mark
// missing; trusting database" at a start without it, and writes a new one: it cannot know then whether the newest writes
// are there. The first start after "lightd restore" says so too, and needs nothing; after any other start, compare.
//
// Without either: move db away and start. The containers of before keep running. The log and the
// condition NameTaken report them as another instance's, and they are left alone until you remove
// them with Docker. Their volumes are in volumes/; new containers get new ones.
//
// # When the disk is full
//
// With less than 64 MiB free the daemon starts only if its reserve in db (48 MiB, db/ballast, created
// again once there is room) is still there, and gives that up to do so. The next start is refused,
// and says so. With Restart=always the service is back by itself when there is room.
//
// Tables of the database wait to be merged until there is room for it. Where five wait, which need some 200 MiB,
// writes are refused as on a full disk, with how much is needed.
//
// # Backups
//
// "lightd docs backup". Files of the data directory that are copied one by one while the daemon runs do not
// fit together.
package store

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: a damaged database.
//
//go:embed doc.go
var Doc string
