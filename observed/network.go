package observed

// LabelNetwork marks the networks that Lightd has made. All instances of an engine share them.
const LabelNetwork = "lightd.network"

// Network is what Docker shows of one of its networks.
type Network struct {
	NetworkID, Name, Driver, Scope string
	// Ambiguous is true where another network has the same name: the engine uses neither.
	Ambiguous bool
	// Bridge is the name of its interface on the engine's host, of a bridge.
	Bridge string
	// ICC is true where its containers reach each other.
	ICC bool
	// Internal is true where its containers reach nothing else.
	Internal bool
	// Gateways are the addresses of the interface.
	Gateways []string
	// Marked is true when it has LabelNetwork.
	Marked bool
}
