package rest

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestWordsOfErrors: every refusal of package desired has an answer of its own.
func TestWordsOfErrors(t *testing.T) {
	for word := range refusals {
		p, known := ErrorOf(fmt.Errorf("try: %w", word))
		data, err := json.Marshal(p.Problem)
		if !known || err != nil || p.Status < 400 || p.Status == 500 || p.Sentence != word.Error() || p.Code == "" {
			t.Errorf("%q: got %d %s, %v", word, p.Status, data, err)
		}
	}
}
