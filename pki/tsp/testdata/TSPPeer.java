import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Date;
import java.util.HashSet;
import java.util.Set;

import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.tsp.Accuracy;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSSignatureAlgorithmNameGenerator;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.SignerInfoGeneratorBuilder;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.operator.SignatureAlgorithmIdentifierFinder;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampResponseGenerator;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.TimeStampTokenGenerator;
import org.bouncycastle.tsp.TimeStampTokenInfo;
import org.bouncycastle.util.CollectionStore;

/**
 * Speaks the Time-Stamp Protocol with BouncyCastle's classes in the O'z DSt
 * and O'z MSt families. One question a line, one answer a line; octets are
 * base64 (a dot for none), times are milliseconds since 1970.
 *
 *   request FAMILY IMPRINT NONCE|- CERTREQ POLICY|-      -> ok REQUEST
 *   stamp FAMILY D CERT ESSDIGEST NAME SERIAL TIME ACCURACY REQUEST
 *           NAME is a GeneralName as TAG:VALUE, - for none; ACCURACY in
 *           seconds, - for none                          -> ok RESPONSE
 *   read FAMILY CERT REQUEST RESPONSE
 *           checks the response against the request and the token with the
 *           certificate    -> ok POLICY SERIAL TIME NONCE|- TSA|- MICROSECONDS|-
 *   status RESPONSE        -> ok STATUS FAILINFO|- TEXT|-
 */
public class TSPPeer {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                answer = "ok " + answer(line.split(" "));
            } catch (Exception e) {
                answer = "no " + e.toString().replaceAll("\\s+", " ");
            }
            out.println(answer);
        }
    }

    static String answer(String[] f) throws Exception {
        switch (f[0]) {
            case "request": return request(f);
            case "stamp": return stamp(f);
            case "read": return read(f);
            case "status": return status(f);
            default: throw new IllegalArgumentException(f[0]);
        }
    }

    static String request(String[] f) throws Exception {
        TimeStampRequestGenerator g = new TimeStampRequestGenerator();
        g.setCertReq(Boolean.parseBoolean(f[4]));
        if (!f[5].equals("-")) {
            g.setReqPolicy(new ASN1ObjectIdentifier(f[5]));
        }
        String digest = new Family(f[1]).digest.getAlgorithm().getId();
        byte[] imprint = Family.decode(f[2]);
        TimeStampRequest r = f[3].equals("-") ? g.generate(digest, imprint) : g.generate(digest, imprint, new BigInteger(f[3], 16));
        return Family.encode(r.getEncoded());
    }

    static String stamp(String[] f) throws Exception {
        Family family = new Family(f[1]);
        X509CertificateHolder cert = new X509CertificateHolder(Family.decode(f[3]));
        SignerInfoGenerator signer = new SignerInfoGeneratorBuilder(family.digests())
            .setContentDigest(family.digest)
            .build(family.signer(new BigInteger(f[2], 16)), cert);
        TimeStampTokenGenerator g = new TimeStampTokenGenerator(signer, family.digests().get(Family.algorithm(f[4])),
            new ASN1ObjectIdentifier("1.2.860.3.2.11.1"));
        g.addCertificates(new CollectionStore<X509CertificateHolder>(Collections.singletonList(cert)));
        if (!f[5].equals("-")) {
            String[] name = f[5].split(":", 2);
            g.setTSA(new GeneralName(Integer.parseInt(name[0]), name[1]));
        }
        if (!f[8].equals("-")) {
            g.setAccuracySeconds(Integer.parseInt(f[8]));
        }
        Set<String> accepted = new HashSet<>(Collections.singleton(family.digest.getAlgorithm().getId()));
        TimeStampRequest req = new TimeStampRequest(Family.decode(f[9]));
        // The imprint's length is for the caller: BouncyCastle knows no O'z DSt.
        TimeStampToken token = g.generate(req, new BigInteger(f[6], 16), new Date(Long.parseLong(f[7])));
        TimeStampResponse resp = new TimeStampResponse(new org.bouncycastle.asn1.tsp.TimeStampResp(
            new org.bouncycastle.asn1.cmp.PKIStatusInfo(org.bouncycastle.asn1.cmp.PKIStatus.granted),
            token.toCMSSignedData().toASN1Structure()));
        if (!accepted.contains(req.getMessageImprintAlgOID().getId())) {
            throw new IllegalArgumentException("digest " + req.getMessageImprintAlgOID());
        }
        resp.validate(req);
        return Family.encode(resp.getEncoded(ASN1Encoding.DL));
    }

    static SignerInformationVerifier verifier(Family family, X509CertificateHolder cert) {
        CMSSignatureAlgorithmNameGenerator names = new CMSSignatureAlgorithmNameGenerator() {
            public String getSignatureName(AlgorithmIdentifier digest, AlgorithmIdentifier signature) {
                return signature.getAlgorithm().getId();
            }
        };
        SignatureAlgorithmIdentifierFinder finder = new SignatureAlgorithmIdentifierFinder() {
            public AlgorithmIdentifier find(String name) { return Family.algorithm(name); }
        };
        return new SignerInformationVerifier(names, finder, family.verifier(cert), family.digests());
    }

    static String read(String[] f) throws Exception {
        Family family = new Family(f[1]);
        X509CertificateHolder cert = new X509CertificateHolder(Family.decode(f[2]));
        TimeStampResponse resp = new TimeStampResponse(Family.decode(f[4]));
        resp.validate(new TimeStampRequest(Family.decode(f[3])));
        TimeStampToken token = resp.getTimeStampToken();
        token.validate(verifier(family, cert));
        TimeStampTokenInfo info = token.getTimeStampInfo();
        return info.getPolicy() + " " + info.getSerialNumber().toString(16) + " " + info.getGenTime().getTime() + " "
            + (info.getNonce() == null ? "-" : info.getNonce().toString(16)) + " "
            + (info.getTsa() == null ? "-" : Family.encode(info.getTsa().toString().getBytes(StandardCharsets.UTF_8))) + " "
            + accuracy(info.toASN1Structure().getAccuracy());
    }

    static String accuracy(Accuracy a) {
        if (a == null) {
            return "-";
        }
        long s = a.getSeconds() == null ? 0 : a.getSeconds().getValue().longValue();
        long ms = a.getMillis() == null ? 0 : a.getMillis().getValue().longValue();
        long us = a.getMicros() == null ? 0 : a.getMicros().getValue().longValue();
        return String.valueOf((s * 1000 + ms) * 1000 + us);
    }

    static String status(String[] f) throws Exception {
        TimeStampResponse resp = new TimeStampResponse(Family.decode(f[1]));
        return resp.getStatus() + " " + (resp.getFailInfo() == null ? "-" : String.valueOf(resp.getFailInfo().intValue())) + " "
            + (resp.getStatusString() == null ? "-" : Family.encode(resp.getStatusString().getBytes(StandardCharsets.UTF_8)));
    }
}
