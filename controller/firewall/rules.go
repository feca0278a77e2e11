package firewall

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"lightd/desired/metadata"
)

// Prefix begins the name of each instance's table.
const Prefix = "lightd-"

// defaultTable is the name of the table, of family inet.
const defaultTable = "lightd"

// PortRange is a range of ports of the host that containers may reach.
type PortRange struct {
	First, Last uint16
	// Protocol is tcp or udp.
	Protocol string
}

// Policy is what containers may reach.
type Policy struct {
	// Interface is the bridge that containers are on, and do not reach each other.
	Interface string
	// Others are the bridges of networks that the operator has made, sorted, on which they may.
	Others []string
	// HostPorts are those of the host that they may reach.
	HostPorts []PortRange
}

// chain is a base chain with its rules, each a list of expressions.
type chain struct {
	name  string
	hook  *nftables.ChainHook
	rules [][]expr.Any
}

// chains returns the chains of the table.
func (p Policy) chains() []chain {
	input := chain{name: "input", hook: nftables.ChainHookInput}
	forward := chain{name: "forward", hook: nftables.ChainHookForward}
	for _, bridge := range append([]string{p.Interface}, p.Others...) {
		in, through := p.rules(bridge)
		input.rules, forward.rules = append(input.rules, in...), append(forward.rules, through...)
	}
	return []chain{input, forward}
}

// rules returns those for what comes from a bridge: to the host, and through it.
func (p Policy) rules(bridge string) (input, forward [][]expr.Any) {
	from := ifname(expr.MetaKeyIIFNAME, bridge)
	rule := func(verdict expr.VerdictKind, matches ...[]expr.Any) []expr.Any {
		list := append([]expr.Any{}, from...)
		for _, m := range matches {
			list = append(list, m...)
		}
		return append(list, &expr.Verdict{Kind: verdict})
	}
	input = [][]expr.Any{
		rule(expr.VerdictAccept, established()),
		rule(expr.VerdictAccept, protocol(unix.IPPROTO_ICMP)),
		rule(expr.VerdictAccept, protocol(unix.IPPROTO_ICMPV6)), // without it IPv6 finds no gateway
	}
	for _, ports := range p.HostPorts {
		input = append(input, rule(expr.VerdictAccept, protocol(protocolNumber(ports.Protocol)), toPorts(ports.First, ports.Last)))
	}
	input = append(input, rule(expr.VerdictDrop))

	forward = [][]expr.Any{
		rule(expr.VerdictAccept, established()),
		rule(expr.VerdictDrop, ifname(expr.MetaKeyOIFNAME, p.Interface)),
		rule(expr.VerdictAccept, protocol(unix.IPPROTO_UDP), toPorts(53, 53)),
		rule(expr.VerdictAccept, protocol(unix.IPPROTO_TCP), toPorts(53, 53)),
	}
	for _, to := range metadata.Networks {
		forward = append(forward, rule(expr.VerdictDrop, destination(to)))
	}
	return input, forward
}

// register is the one that all expressions use.
const register = 1

// ifname matches the name of an interface.
func ifname(key expr.MetaKey, name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{
		&expr.Meta{Key: key, Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: padded},
	}
}

// established matches what belongs to a connection that is known.
func established() []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: register},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: make([]byte, 4)},
	}
}

func protocolNumber(name string) byte {
	if name == "udp" {
		return unix.IPPROTO_UDP
	}
	return unix.IPPROTO_TCP
}

// protocol matches a protocol above IP.
func protocol(number byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{number}},
	}
}

// toPorts matches the destination port, which TCP and UDP have at the same place.
func toPorts(first, last uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpGte, Register: register, Data: binaryutil.BigEndian.PutUint16(first)},
		&expr.Cmp{Op: expr.CmpOpLte, Register: register, Data: binaryutil.BigEndian.PutUint16(last)},
	}
}

// destination matches the address that a packet goes to.
func destination(to netip.Prefix) []expr.Any {
	family, offset := byte(unix.NFPROTO_IPV4), uint32(16)
	if to.Addr().Is6() {
		family, offset = unix.NFPROTO_IPV6, 24
	}
	size := to.Addr().BitLen() / 8
	mask := make([]byte, size)
	for bit := range to.Bits() {
		mask[bit/8] |= 0x80 >> (bit % 8)
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{family}},
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(size)},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: uint32(size), Mask: mask, Xor: make([]byte, size)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: to.Masked().Addr().AsSlice()},
	}
}
