package openapi

// limited are the answers that every operation has: what refuses a request stands before the routes.
var limited = map[string]string{"421": "Misdirected", "429": "TooMany", "503": "Unavailable"}

// addLimits adds them where an operation does not say more.
func addLimits(document map[string]any) {
	paths, _ := document["paths"].(map[string]any)
	for _, item := range paths {
		operations, _ := item.(map[string]any)
		for _, operation := range operations {
			described, _ := operation.(map[string]any)
			responses, ok := described["responses"].(map[string]any)
			if !ok {
				continue
			}
			for status, name := range limited {
				if _, there := responses[status]; !there {
					responses[status] = map[string]any{"$ref": "#/components/responses/" + name}
				}
			}
		}
	}
}
