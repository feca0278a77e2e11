package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// generation returns the number of all rules of nftables in this network namespace: whoever changes one of them makes
// it another number. It costs a small part of what it costs to read a table.
func generation() (uint32, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, fmt.Errorf("connect to nftables: %w", err)
	}
	defer func() { _ = conn.Close() }() // it was only read
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   make([]byte, headerSize),
	})
	if err != nil {
		return 0, fmt.Errorf("read the generation of nftables: %w", err)
	}
	for _, answer := range answers {
		if len(answer.Data) < headerSize {
			continue
		}
		attributes, err := netlink.UnmarshalAttributes(answer.Data[headerSize:])
		if err != nil {
			return 0, fmt.Errorf("read the generation of nftables: %w", err)
		}
		for _, a := range attributes {
			if a.Type == unix.NFTA_GEN_ID && len(a.Data) == 4 {
				return binary.BigEndian.Uint32(a.Data), nil
			}
		}
	}
	return 0, errors.New("read the generation of nftables: there is none in the answer")
}

// headerSize is that of the kernel's struct nfgenmsg, which a message of netfilter begins with: no family, no version.
const headerSize = 4
