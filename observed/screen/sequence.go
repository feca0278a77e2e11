package screen

const escByte = 0x1b

// sequence is an escape sequence of a terminal, as far as it has come.
type sequence struct {
	state   state
	single  bool // it is ESC and one character
	private bool // it has marks with which it means something else
	numbers [2]int
	at      int // which number comes
}

type state uint8

const (
	plain      state = iota
	escaped          // after ESC
	charset          // ESC ( and the like, up to a final byte
	control          // ESC [ up to a final byte
	command          // ESC ] and the like, up to BEL or ESC \
	commandEnd       // ESC within command
)

// maxNumber bounds a number in a sequence.
const maxNumber = 1 << 16

// next takes a byte, which is no line feed, and returns the final one of a sequence that may
// change the line.
func (s *sequence) next(b byte) (final byte, ok bool) {
	switch {
	case b == escByte && s.state == command:
		s.state = commandEnd
		return 0, false
	case b == escByte:
		*s = sequence{state: escaped}
		return 0, false
	}
	switch s.state {
	case escaped:
		return s.afterEscape(b)
	case commandEnd:
		if b == '\\' {
			s.state = plain
			return 0, false
		}
		return s.afterEscape(b)
	case charset:
		if b < 0x20 || b > 0x2f {
			s.state = plain
		}
	case control:
		return s.parameter(b)
	case command:
		if b == 0x07 {
			s.state = plain
		}
	}
	return 0, false
}

func (s *sequence) afterEscape(b byte) (final byte, ok bool) {
	*s = sequence{state: plain}
	switch {
	case b == '[':
		s.state = control
	case b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_':
		s.state = command
	case b >= 0x20 && b <= 0x2f: // as in ESC ( B
		s.state = charset
	default:
		s.single = true
		return b, true
	}
	return 0, false
}

func (s *sequence) parameter(b byte) (final byte, ok bool) {
	switch {
	case b >= '0' && b <= '9':
		if s.at < len(s.numbers) {
			s.numbers[s.at] = min(10*s.numbers[s.at]+int(b-'0'), maxNumber)
		}
	case b == ';':
		s.at++
	case b >= 0x20 && b <= 0x3f: // a mark
		s.private = true
	case b >= 0x40 && b <= 0x7e:
		s.state = plain
		return b, !s.private
	}
	return 0, false
}

// number is the i-th number; 0 if there is none.
func (s *sequence) number(i int) int { return s.numbers[i] }
