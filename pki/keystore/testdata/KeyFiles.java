import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.DERBMPString;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.pkcs.ContentInfo;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.crypto.engines.DESedeEngine;
import org.bouncycastle.crypto.engines.RC2Engine;
import org.bouncycastle.crypto.modes.CBCBlockCipher;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.InputDecryptorProvider;
import org.bouncycastle.pkcs.PKCS12PfxPdu;
import org.bouncycastle.pkcs.PKCS12PfxPduBuilder;
import org.bouncycastle.pkcs.PKCS12SafeBag;
import org.bouncycastle.pkcs.PKCS12SafeBagBuilder;
import org.bouncycastle.pkcs.PKCS12SafeBagFactory;
import org.bouncycastle.pkcs.PKCS8EncryptedPrivateKeyInfo;
import org.bouncycastle.pkcs.bc.BcPKCS12MacCalculatorBuilder;
import org.bouncycastle.pkcs.bc.BcPKCS12MacCalculatorBuilderProvider;
import org.bouncycastle.pkcs.bc.BcPKCS12PBEOutputEncryptorBuilder;
import org.bouncycastle.operator.bc.BcDefaultDigestProvider;
import org.bouncycastle.pkcs.jcajce.JcePKCSPBEInputDecryptorProviderBuilder;
import org.bouncycastle.util.encoders.Base64;

/** Reads and writes PFX files as Java and as BouncyCastle do. Arguments and answers are words in base64. */
public class KeyFiles {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                answer = answer(line.split(" "));
            } catch (Throwable e) {
                answer = "error " + e.toString().replaceAll("\\s+", " ");
            }
            out.print(answer + "\n");
            out.flush();
        }
    }

    static byte[] bytes(String word) {
        return Base64.decode(word);
    }

    static String text(String word) {
        return new String(bytes(word), StandardCharsets.UTF_8);
    }

    static String word(byte[] b) {
        return b.length == 0 ? "-" : Base64.toBase64String(b);
    }

    static String word(String s) {
        return word(s.getBytes(StandardCharsets.UTF_8));
    }

    static String answer(String[] q) throws Exception {
        switch (q[0]) {
            case "lower":
                return word(text(q[1]).toLowerCase(Locale.ENGLISH));
            case "java":
                return read(KeyStore.getInstance("PKCS12", "SunJSSE"), bytes(q[1]), text(q[2]).toCharArray());
            case "bc":
                return readPdu(bytes(q[1]), text(q[2]).toCharArray());
            case "store":
                return store(q);
            case "pdu":
                return writePdu(q);
            default:
                return "error unknown question";
        }
    }

    /** alias key certificate... for each alias, joined by " ; ". A key Java has no algorithm for is "?". */
    static String read(KeyStore ks, byte[] data, char[] password) throws Exception {
        ks.load(new ByteArrayInputStream(data), password);
        List<String> entries = new ArrayList<>();
        for (String alias : Collections.list(ks.aliases())) {
            StringBuilder b = new StringBuilder(word(alias));
            String key = "-";
            if (ks.isKeyEntry(alias)) {
                try {
                    Key k = ks.getKey(alias, password);
                    key = word(k.getEncoded());
                } catch (java.security.UnrecoverableKeyException | java.security.NoSuchAlgorithmException e) {
                    key = "?";
                }
            }
            b.append(' ').append(key);
            Certificate[] chain = ks.getCertificateChain(alias);
            for (Certificate c : chain == null ? new Certificate[0] : chain) {
                b.append(' ').append(word(c.getEncoded()));
            }
            entries.add(b.toString());
        }
        return String.join(" ; ", entries);
    }

    /** "mac true|false", then "key" or "cert", the content, the friendly name and the local key id of each bag. */
    static String readPdu(byte[] data, char[] password) throws Exception {
        PKCS12PfxPdu pfx = new PKCS12PfxPdu(data);
        boolean mac = pfx.isMacValid(new BcPKCS12MacCalculatorBuilderProvider(BcDefaultDigestProvider.INSTANCE), password);
        StringBuilder b = new StringBuilder("mac " + mac);
        if (!mac) {
            return b.toString();
        }
        InputDecryptorProvider dec = new JcePKCSPBEInputDecryptorProviderBuilder().setProvider("BC").build(password);
        for (ContentInfo info : pfx.getContentInfos()) {
            PKCS12SafeBagFactory f = info.getContentType().equals(PKCSObjectIdentifiers.encryptedData)
                ? new PKCS12SafeBagFactory(info, dec) : new PKCS12SafeBagFactory(info);
            for (PKCS12SafeBag bag : f.getSafeBags()) {
                Object v = bag.getBagValue();
                if (v instanceof PKCS8EncryptedPrivateKeyInfo) {
                    b.append(" ; key ").append(word(((PKCS8EncryptedPrivateKeyInfo) v).decryptPrivateKeyInfo(dec).getEncoded()));
                } else if (v instanceof X509CertificateHolder) {
                    b.append(" ; cert ").append(word(((X509CertificateHolder) v).getEncoded()));
                } else {
                    b.append(" ; other -");
                }
                String name = "-";
                String id = "-";
                if (bag.getAttributes() != null) {
                    for (org.bouncycastle.asn1.pkcs.Attribute a : bag.getAttributes()) {
                        if (a.getAttrType().equals(PKCS12SafeBag.friendlyNameAttribute)) {
                            name = word(DERBMPString.getInstance(a.getAttributeValues()[0]).getString());
                        } else if (a.getAttrType().equals(PKCS12SafeBag.localKeyIdAttribute)) {
                            id = word(org.bouncycastle.asn1.ASN1OctetString.getInstance(a.getAttributeValues()[0]).getOctets());
                        }
                    }
                }
                b.append(' ').append(name).append(' ').append(id);
            }
        }
        return b.toString();
    }

    /** store TYPE PROVIDER ALGORITHM PASSWORD ALIAS PKCS8 CERTIFICATE... */
    static String store(String[] q) throws Exception {
        PrivateKey key = KeyFactory.getInstance(q[3], "BC").generatePrivate(new PKCS8EncodedKeySpec(bytes(q[6])));
        CertificateFactory f = CertificateFactory.getInstance("X.509", "BC");
        Certificate[] chain = new Certificate[q.length - 7];
        for (int i = 0; i < chain.length; i++) {
            chain[i] = f.generateCertificate(new ByteArrayInputStream(bytes(q[7 + i])));
        }
        KeyStore ks = KeyStore.getInstance(q[1], q[2]);
        ks.load(null, null);
        char[] password = text(q[4]).toCharArray();
        ks.setKeyEntry(text(q[5]), key, password, chain);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ks.store(out, password);
        return word(out.toByteArray());
    }

    /** pdu DER|BER PASSWORD ALIAS PKCS8 CERTIFICATE...: any key, in the algorithms of Java 8. */
    static String writePdu(String[] q) throws Exception {
        char[] password = text(q[2]).toCharArray();
        PKCS12SafeBagBuilder key = new PKCS12SafeBagBuilder(PrivateKeyInfo.getInstance(bytes(q[4])),
            new BcPKCS12PBEOutputEncryptorBuilder(PKCSObjectIdentifiers.pbeWithSHAAnd3_KeyTripleDES_CBC,
                new CBCBlockCipher(new DESedeEngine())).build(password));
        DEROctetString id = new DEROctetString("Time 1700000000123".getBytes(StandardCharsets.US_ASCII));
        key.addBagAttribute(PKCS12SafeBag.friendlyNameAttribute, new DERBMPString(text(q[3])));
        key.addBagAttribute(PKCS12SafeBag.localKeyIdAttribute, id);
        PKCS12SafeBag[] certs = new PKCS12SafeBag[q.length - 5];
        for (int i = 0; i < certs.length; i++) {
            PKCS12SafeBagBuilder c = new PKCS12SafeBagBuilder(new X509CertificateHolder(bytes(q[5 + i])));
            if (i == 0) {
                c.addBagAttribute(PKCS12SafeBag.localKeyIdAttribute, id);
            }
            certs[i] = c.build();
        }
        PKCS12PfxPduBuilder pfx = new PKCS12PfxPduBuilder();
        pfx.addData(key.build());
        pfx.addEncryptedData(new BcPKCS12PBEOutputEncryptorBuilder(PKCSObjectIdentifiers.pbeWithSHAAnd40BitRC2_CBC,
            new CBCBlockCipher(new RC2Engine())).build(password), certs);
        PKCS12PfxPdu pdu = pfx.build(new BcPKCS12MacCalculatorBuilder(), password);
        return word(pdu.getEncoded(q[1].equals("DER") ? ASN1Encoding.DL : ASN1Encoding.BER));
    }
}
