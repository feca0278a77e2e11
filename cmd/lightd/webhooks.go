package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"lightd/httpapi/webhook"
	"lightd/observed/journal"
	"lightd/observed/records"
)

// webhooks is the section webhooks of the file.
type webhooks []webhookSettings

// webhookSettings are those of webhook.Config. The secret is given by itself or by a file.
type webhookSettings struct {
	Name              string         `yaml:"name"`
	URL               string         `yaml:"url"`
	Secret            string         `yaml:"secret"`
	SecretFile        string         `yaml:"secret_file"`
	Events            []journal.Type `yaml:"events"`
	Selector          string         `yaml:"selector"`
	InsecurePlainHTTP bool           `yaml:"insecure_plain_http"`
}

func (w webhooks) check() error {
	_, err := w.configs()
	return err
}

// configs returns what the settings say, with the secrets of their files.
func (w webhooks) configs() ([]webhook.Config, error) {
	list := make([]webhook.Config, len(w))
	for i, s := range w {
		secret, err := s.secret()
		if err != nil {
			return nil, badSetting(fmt.Sprintf("webhooks.%d", i), "webhooks: webhook %s: %v", s.Name, err)
		}
		list[i] = webhook.Config{
			Name: s.Name, URL: s.URL, Secret: secret, Types: s.Events, Selector: s.Selector, PlainHTTP: s.InsecurePlainHTTP,
		}
	}
	if at, err := webhook.CheckAll(list); err != nil {
		return nil, badSetting(fmt.Sprintf("webhooks.%d", at), "webhooks: %v", err)
	}
	return list, nil
}

func (s webhookSettings) secret() (string, error) {
	switch {
	case s.Secret != "" && s.SecretFile != "":
		return "", errors.New("secret and secret_file are two ways to say one thing: leave one out")
	case s.SecretFile == "":
		return s.Secret, nil
	}
	text, err := os.ReadFile(s.SecretFile)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// secrets are those that the settings themselves have.
func (c *config) secrets() (list []string) {
	if c.Token != "" {
		list = append(list, c.Token)
	}
	for _, w := range c.Webhooks {
		if w.Secret != "" {
			list = append(list, w.Secret)
		}
	}
	return list
}

// secretFiles are the files that secrets are read from.
func (c *config) secretFiles() (list []string) {
	if c.Token == "" {
		list = append(list, c.TokenFile)
	}
	return append(list, c.otherSecretFiles()...)
}

// otherSecretFiles are those of secrets that the daemon uses elsewhere.
func (c *config) otherSecretFiles() []string {
	list := c.Webhooks.secretFiles()
	if c.Images.Credentials != "" {
		list = append(list, c.Images.Credentials)
	}
	return list
}

// secretFiles are the files of the secrets of webhooks.
func (w webhooks) secretFiles() (list []string) {
	for _, s := range w {
		if s.SecretFile != "" {
			list = append(list, s.SecretFile)
		}
	}
	return list
}

func (d *daemon) newWebhooks(w webhooks) (*webhook.Deliverer, error) {
	list, err := w.configs()
	if err != nil {
		return nil, err
	}
	return webhook.New(list, webhook.Sources{
		Journal: d.journal, Containers: d.store, Positions: records.OpenPositions(d.store.DB),
	}, webhook.Options{Node: d.store.Instance(), Agent: "lightd/" + version, Log: d.log})
}
