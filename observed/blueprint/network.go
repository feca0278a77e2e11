package blueprint

import (
	"fmt"

	"lightd/observed"
)

// Network is a network of Docker's that Lightd makes: a bridge on which containers do not reach each
// other.
type Network struct {
	// Name is its name in Docker, Bridge that of its interface on the host.
	Name, Bridge string
}

// DefaultNetwork is the one that all containers of an engine are on, those of other instances too.
var DefaultNetwork = Network{Name: "lightd", Bridge: "lightd0"}

// EarlierNetwork is the one that the containers of earlier versions are on: Docker's own.
const EarlierNetwork = "bridge"

// bridgeDriver is the driver of Docker's networks within one host.
const bridgeDriver = "bridge"

// localScope is the scope of networks within one host, where others belong to a swarm.
const localScope = "local"

// NamedMisfit describes why containers cannot be on a network that the operator has made; empty when they
// can. They reach each other on it unless it was made otherwise.
func NamedMisfit(have observed.Network) string {
	switch {
	case have.Ambiguous:
		return "there are several of that name"
	case have.Driver != bridgeDriver || have.Scope != localScope:
		return fmt.Sprintf("its driver is %q of scope %q, and not %q of scope %q", have.Driver, have.Scope, bridgeDriver, localScope)
	}
	return ""
}

// AsCreated returns what Docker shows of the network once it is made.
func (n Network) AsCreated() observed.Network {
	return observed.Network{Name: n.Name, Driver: bridgeDriver, Bridge: n.Bridge, Marked: true}
}

// Misfit describes in what a network of that name differs from the one that Lightd makes; empty when
// it may be used.
func (n Network) Misfit(have observed.Network) string {
	switch {
	case have.Driver != bridgeDriver:
		return fmt.Sprintf("its driver is %q and not %q", have.Driver, bridgeDriver)
	case have.ICC:
		return "its containers reach each other"
	case have.Bridge != n.Bridge:
		return fmt.Sprintf("its interface is %q and not %q", have.Bridge, n.Bridge)
	case have.Internal:
		return "it is internal"
	}
	return ""
}
