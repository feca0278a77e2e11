// # Operating a node
//
// The life of a node, in its order. The commands are for the machine of the daemon: as root they need no token
// and no address. Each is tried by a test of Lightd, in this order; other topics have the details.
//
// # Prepare the machine
//
// It needs Linux with AppArmor or SELinux, Docker 20.10 or newer with the storage driver overlay2, and a clock that
// something synchronises ("timedatectl set-ntp true"). Volumes have files of strangers, so their file system is
// mounted nodev and nosuid. A directory that is on no disk of its own is mounted onto itself for that:
//
//	sudo install -d -m 700 /var/lib/lightd
//	echo '/var/lib/lightd /var/lib/lightd none bind,nodev,nosuid 0 0' |
//	  sudo tee -a /etc/fstab
//	sudo mount /var/lib/lightd
//
// # Install it
//
// "lightd docs install" says how the program and its service come onto the machine. These settings are for a node that
// a panel reaches over the internet; put in the name that it has there. They replace the file of the package, which
// has each setting with its default as a comment, as "man lightd.yaml" and the README do.
//
//	sudo install -d /etc/lightd
//	sudo install -m 600 /dev/null /etc/lightd/lightd.yaml
//	echo 'listen: [unix:///run/lightd.sock, 0.0.0.0:8443]' |
//	  sudo tee -a /etc/lightd/lightd.yaml
//	echo 'tls: {self_signed: true}' | sudo tee -a /etc/lightd/lightd.yaml
//	echo 'hosts: [node-1.example.com]' | sudo tee -a /etc/lightd/lightd.yaml
//	echo 'metrics: {per_container: true}' | sudo tee -a /etc/lightd/lightd.yaml
//	sudo systemctl enable lightd
//	sudo systemctl restart lightd
//	sudo lightd check
//
// "lightd check" inspects the machine, the engine and the daemon, and has a remedy for all that is not ok. Repeat it
// after every change. It ends with code 1 where there is a fault, and takes -o json for a monitor.
//
// A certificate of an authority goes into tls.cert and tls.key, and is served as soon as its files change. Without
// one, clients pin the key: "lightd docs listen". The firewall of the machine lets in the port of the API and those
// of the pool.
//
// # Let clients in
//
// Each client gets a token of its own with the scopes that it needs ("lightd docs tokens"), for 30 days at most: make
// the next one before, in the same way. The master token in the data directory stays on the machine.
//
//	(umask 077 && sudo lightd token create --name panel --ttl 30d \
//	  --scopes write,console > panel.token)
//	sudo lightd token list
//
// # Run containers
//
//	sudo lightd port add 25565-25570
//	sudo lightd run web --image debian:12 -p 25565 --wait -- sleep infinity
//	sudo lightd get -o wide
//	sudo lightd describe web
//
// # Watch it
//
// Prometheus asks with a token for reading. hack/prometheus has a configuration with TLS, for which tls/cert.pem of the
// data directory is copied here, alerts and a dashboard; with per_container each container that needs somebody has a
// sentence that says why ("lightd docs metrics").
//
//	(umask 077 && sudo lightd token create --name prometheus --ttl 30d \
//	  --scopes read > prometheus.token)
//	curl -sk -H "Authorization: Bearer $(cat prometheus.token)" \
//	  https://127.0.0.1:8443/metrics
//
// # Change a setting
//
// Edit the file, and have the daemon read it again. With a mistake in it the daemon goes on as before, and the commands
// on the machine, which read it too, name the line. The log, and the check,
// say which settings need a restart; containers run on through both.
//
//	echo 'origins: ["https://panel.example.com"]' |
//	  sudo tee -a /etc/lightd/lightd.yaml
//	sudo systemctl reload lightd
//	sudo lightd check
//
// # Keep room on the disk
//
// A quota bounds one volume; "lightd docs quotas" says which file systems enforce it. Below 256 MiB the daemon
// warns, below 64 MiB it takes no more writes but those that make room.
//
//	sudo lightd volume list --measure
//	sudo lightd volume quota \
//	  "$(sudo lightd get web -o jsonpath='{.volume_id}')" 10Gi
//	sudo lightd top --no-stream --sort-by disk
//
// # Back it up
//
// A backup is made while all goes on, and has the tokens in it. Try now and then whether one can be restored; the
// directory for that must not be there.
//
//	sudo install -d -m 700 /srv/backups
//	sudo lightd backup --volumes /srv/backups/node-1
//	sudo lightd restore /srv/backups/node-1 --data-dir /srv/trial
//	sudo rm -r /srv/trial
//
// # Upgrade
//
// Containers run on while the program is replaced, and clients reconnect. A newer version opens the data of an older
// one. The older one opens what the newer one has written while "lightd version" shows the same database format of
// both, and refuses it unharmed otherwise: then the backup is the way back. "lightd migrate" says what the new program
// makes of the database before it is started. A .deb is installed over the old one ("lightd docs install"); this is
// what was built here, where the unit has it.
//
//	sudo lightd backup /srv/backups/before-upgrade
//	sudo install -m 755 .bin/lightd /usr/bin/
//	sudo lightd migrate
//	sudo systemctl restart lightd
//	lightd version
//	sudo lightd check
//
// # Maintain the machine
//
// For a new kernel or engine, have all containers stopped in their own way first; they start again once that is
// ended, over a boot too ("lightd cordon" starts nothing new, and stops nothing).
//
//	sudo lightd drain --reason 'new kernel'
//	sudo lightd uncordon
//
// # When something is wrong
//
// Begin with these. The first lines of describe say what is the matter, since when, what Lightd does about it and
// what you can do, with what was printed last; usually nothing else is needed.
//
//	sudo lightd get -o wide
//	sudo lightd describe web
//	sudo lightd check
//	sudo journalctl -u lightd -n 50
//
// What you see in them, and what to do:
//
//   - "ends again and again", with an exit code: the program fails. Its last lines say why. "lightd edit ID" changes the
//     spec, "lightd start ID" ends the wait.
//   - "ended it for memory": raise limits.memory of the spec. Without a limit the machine itself was full.
//   - "port ... is in use": end the program that is named, or give the container another port with "lightd rebind ID -p PORT".
//   - "the registry has no such image": correct the name in the spec. What was loaded by hand must have that name.
//   - "the registry ..." something else: the sentence ends with what to do. Credentials are in "lightd docs registries",
//     certificates and mirrors in "lightd docs images". It goes on by itself once the registry behaves.
//   - "was not installed": the script failed, and its last lines are shown. Correct it, and then "lightd reinstall ID".
//   - "has not printed its start pattern": compare the pattern with the lines below it. The program itself runs.
//   - "the disk of the data directory is full", DiskLow or DiskFull: make room on the disk that is named. Stopping and
//     deleting work without any. Nothing else is to be done: "lightd docs damage".
//   - "Docker does not answer": start the engine. Containers are taken over as they are.
//   - The same, and the engine's process is there: it hangs. "systemctl restart docker" ends the containers too, unless
//     daemon.json has live-restore; Lightd starts them again.
//   - The daemon does not start: its last line of the log names the file, and what to do. See "lightd docs damage".
//
// # Go back to a backup, or to another machine
//
// The new place is prepared as above, up to the start of the daemon. On the same machine, empty the directory
// first; it may stay mounted. No container may run on without its files: all are stopped before the backup. The engine
// remembers which directory had the node ("lightd docs data"): --take-over makes the restored one the node, to which
// the containers that the engine still has belong. Other instances on the engine are not touched.
//
//	sudo lightd drain --reason 'another directory'
//	sudo lightd backup --volumes /srv/backups/last
//	sudo systemctl stop lightd
//	sudo find /var/lib/lightd -mindepth 1 -delete
//	sudo lightd restore --take-over /srv/backups/last
//	sudo systemctl start lightd
//	sudo lightd uncordon
//	sudo lightd wait web --for=running
//	sudo lightd check
//
// # Remove it
//
// Containers go with "lightd delete", volumes and all else with the directory. What the engine remembers of the node
// is an empty volume, with the id of the instance in its name as every container has it; other instances have their
// own. The rules of the firewall are gone after the next boot. Backups stay, with the tokens in them, and so does the program: "apt purge lightd" removes a
// package.
//
//	sudo docker inspect lightd-web > owner.mark \
//	  -f 'lightd-owner-{{index .Config.Labels "lightd.instance"}}'
//	sudo lightd delete --all --yes
//	sudo systemctl disable --now lightd
//	sudo docker network rm lightd
//	sudo docker volume rm "$(cat owner.mark)"
//	sudo umount /var/lib/lightd
//	sudo sed -i '\#^/var/lib/lightd #d' /etc/fstab
//	sudo rm -r /var/lib/lightd /etc/lightd

package docs

import _ "embed"

// operate is the source of this file, which has the topic's text.
//
//go:embed operate.go
var operate string
