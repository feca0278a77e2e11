package docs

const install = `// # Installation
//
// A node is a machine with a Docker Engine, the daemon, and the data directory. Whichever way the daemon comes
// to the machine, containers run on while it is replaced, stopped or removed.
//
// # The package
//
// "make package" makes .bin/lightd_VERSION_ARCHITECTURE.deb for Debian 12, Ubuntu 22.04 or newer, of one
// static program:
//
//	/usr/bin/lightd                           daemon and command line
//	/usr/lib/systemd/system/lightd.service    the service
//	/etc/lightd/lightd.yaml                   all defaults, as comments
//	/usr/share/man                            lightd(1), lightd.yaml(5) ...
//	/usr/share/bash-completion, zsh, fish     completions
//
//	apt install ./lightd_VERSION_amd64.deb    enables and starts the service
//	apt install ./lightd_NEWER_amd64.deb      restarts it
//	apt remove lightd                         stops it; all else stays
//	apt purge lightd                          removes its settings too
//
// An upgrade keeps lightd.yaml as it was edited. A purge never removes /var/lib/lightd: the files of users
// are in it. Once nobody needs them:
//
//	docker ps -aq --filter label=lightd.instance | xargs -r docker rm -f
//	nft list tables | grep lightd-      # nft delete table inet lightd-...
//	rm -rf /var/lib/lightd
//
// An installation by hand has its unit in /etc/systemd/system/lightd.service, which hides the unit of the
// package: remove it, and /usr/local/bin/lightd of older ones, where the .deb follows it. The data stays.
//
// Both the .deb and the image are reproducible: commit, Go version and architecture decide all their bytes, and
// "lightd version" has these. "make reproducible" makes both twice, in two directories, and compares them.
// "make package-test" installs, upgrades and purges the .deb under a real systemd.
//
// # The service
//
// The unit reports readiness and reloads (Type=notify), restarts the daemon whenever it ends, and ends it when
// it has not reported for 60 s that containers are reconciled. It runs in a sandbox: "systemd-analyze security
// lightd" shows an exposure of 3.5, and the comments of the unit say what each right is for. The file system is
// read-only for the daemon but for /var/lib/lightd and /run. Where settings need more, a drop-in
// ("systemctl edit lightd") opens it:
//
//	[Unit]
//	RequiresMountsFor=/srv/lightd
//	[Service]
//	ReadWritePaths=/srv/lightd
//
// That is for data_dir: /srv/lightd, which exists, and may be a disk of its own; likewise for a unix socket
// elsewhere.
//
// A helper of images.credentials runs in the same sandbox. "sudo lightd check" inspects the machine from
// outside of the sandbox, and shows what the daemon that runs reports from inside: the firewall and the quotas.
//
// # The container image
//
// "make image" makes .bin/lightd_VERSION_ARCHITECTURE.image.tar, which has the program and nothing else:
//
//	docker load -i lightd_VERSION_amd64.image.tar
//	docker run -d --name lightd --restart=always --read-only \
//	  --network=host --pid=host --cgroupns=host --cap-drop=ALL \
//	  --cap-add=CHOWN --cap-add=DAC_OVERRIDE --cap-add=FOWNER \
//	  --cap-add=FSETID --cap-add=NET_ADMIN --cap-add=NET_BIND_SERVICE \
//	  --cap-add=SYS_PTRACE --cap-add=SYS_ADMIN \
//	  --security-opt=no-new-privileges --security-opt=apparmor=unconfined \
//	  -v /var/run/docker.sock:/var/run/docker.sock \
//	  -v /var/lib/lightd:/var/lib/lightd -v /etc/lightd:/etc/lightd:ro \
//	  -v /etc/machine-id:/etc/machine-id:ro \
//	  -v /etc/ssl/certs:/etc/ssl/certs:ro lightd:VERSION
//	docker exec lightd lightd check
//	docker kill --signal=HUP lightd     # reads lightd.yaml again
//
// The engine mounts by paths of the machine, so the data directory and the directories of mounts.allowed have
// the same path inside as outside. --network=host is for the listener, probes, and the firewall, which needs
// NET_ADMIN; without either, readyz and "lightd check" report it, and network.firewall: required starts no
// container. --pid=host and SYS_PTRACE name the program that holds a port, and verify what is mounted in a
// container. SYS_ADMIN sets quotas. machine-id tells a data directory from its copy. There is no watchdog.
package docs
`
