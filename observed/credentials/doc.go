// Package credentials reads the credentials of registries from a configuration file of Docker's command line:
// what "docker login" has written, and the credential helpers that it names.
//
// It guarantees that credentials are given out for the registry alone that they are stored for, that a
// helper which hangs ends with its caller, and that no error has a part of a secret.
//
// # Private registries
//
// A spec names an image and no credentials: those are the operator's, for all containers of the node.
// "images: {credentials: /root/.docker/config.json}" in the configuration is the file that "docker login"
// writes, with its credential helpers (docker-credential-NAME in PATH, which has 20 s). It is read at each
// pull, so that a login takes effect at once; the engine is sent what is stored for the very registry of the
// image, host and port, and nothing for another one. What cannot be read fails the pull, as
// ImageUnavailable says; the log has why, and no secret.
//
//	sudo docker login registry.example.com
//	sudo tee -a /etc/lightd/lightd.yaml \
//	  <<< 'images: {credentials: /root/.docker/config.json}'
//	sudo systemctl restart lightd
//
// A registry may name a token service, as Docker Hub and GitLab do, to which the engine then sends these
// credentials, whatever its host: log in to registries that you trust. Redirects, mirrors and other registries do not
// get them.
//
// Whoever may write specs may pull with these credentials: list in images.allowed what they may have. An
// image that is on the machine already is not pulled, and needs none.
//
// # Which registries
//
// images.allowed lists what specs may name: registries, or the beginning of a path as in ghcr.io/team. Once it has an
// entry, nothing else is pulled; "*" stands for all at public addresses. A registry of a private network, or of this
// machine, is at none, and is listed:
//
//	images: {allowed: ["*", "registry.lan:5000"]}
package credentials

import _ "embed"

// Doc is this file: its reference is that of private registries.
//
//go:embed doc.go
var Doc string
